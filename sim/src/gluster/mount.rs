//! A volume that is connected.

use super::{
    cache::Inode,
    file::Handle,
    link::Link,
    watched::Slot,
    wire::{Ask, Given, Opened},
};
use futures_util::future::BoxFuture;
use quorate_engine::{
    Result,
    gluster::api::{self, Access, File, Refusal, Volume},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, Weak},
};

/// What the user of a volume has of it.
pub(super) struct Mount(Arc<Mounted>);

/// What the files of a volume have in common. The connection ends with the last of them.
pub(super) struct Mounted {
    pub(super) link: Link,
    /// What is cached of files that are open.
    inodes: Mutex<BTreeMap<u64, Weak<Inode>>>,
}

impl Mount {
    pub(super) fn new(link: Link) -> Self {
        Self(Arc::new(Mounted { link, inodes: Mutex::default() }))
    }

    /// Opens a file, whether or not somebody waits until it is open.
    async fn open(&self, ask: Ask, access: Access) -> api::Opened {
        let (mounted, slot) = (self.0.clone(), Arc::new(Slot::empty()));
        let told = slot.clone();
        self.0.link.0.spawn(async move {
            let opened = open(mounted, ask, access).await;
            told.fill(opened.map_err(|errno| Refusal { errno: errno.number(), text: None }));
        });
        slot.take().await
    }
}

impl Volume for Mount {
    fn open<'a>(&'a self, path: &'a str, access: Access) -> BoxFuture<'a, api::Opened> {
        Box::pin(self.open(Ask::Open { path: path.into() }, access))
    }

    fn create<'a>(&'a self, path: &'a str) -> BoxFuture<'a, api::Opened> {
        let access = Access { write: true, direct: false };
        Box::pin(self.open(Ask::Create { path: path.into() }, access))
    }
}

async fn open(mounted: Arc<Mounted>, ask: Ask, access: Access) -> Result<Arc<dyn File>> {
    let is_new = matches!(ask, Ask::Create { .. });
    let Given::File(file) = mounted.link.0.call(ask).await? else {
        unreachable!("a brick answers what it is asked")
    };
    let inode = mounted.inode(file);
    if is_new {
        inode.forget();
    }
    Ok(Arc::new(Handle::new(mounted, inode, Opened { file, access })))
}

impl Mounted {
    fn inode(&self, file: u64) -> Arc<Inode> {
        let mut inodes = self.inodes.lock().expect("nothing panics under this lock");
        inodes.retain(|_, inode| inode.strong_count() > 0);
        inodes.get(&file).and_then(Weak::upgrade).unwrap_or_else(|| {
            let inode = Arc::new(Inode::new(self.link.0.clone()));
            inodes.insert(file, Arc::downgrade(&inode));
            inode
        })
    }
}
