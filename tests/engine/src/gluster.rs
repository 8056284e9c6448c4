//! The gluster driver over a scripted libgfapi (`fake`).

mod create;
mod done;
mod fake;
mod flush;
mod io;
mod open;
mod options;
mod pool;
mod status;
mod truncate;
mod uri;

use crate::task::now;
use fake::Fake;
use quorate_engine::{
    Gluster, GlusterOptions,
    gluster::{
        Client, GlusterError, Notice,
        options::{GlusterBuilder, Server},
    },
};
use std::sync::{Arc, Mutex};

/// A client of scripted clusters, and what it was told.
struct Bed {
    fake: Arc<Fake>,
    client: Client,
    notices: Arc<Mutex<Vec<Notice>>>,
}

impl Bed {
    fn new() -> Self {
        let (fake, notices) = (Arc::new(Fake::default()), Arc::new(Mutex::new(Vec::new())));
        let sink = notices.clone();
        let sink = move |notice| sink.lock().expect("no test goes on after a panic").push(notice);
        let client = Client::new(fake.clone(), Arc::new(sink));
        Self { fake, client, notices }
    }

    /// One whose only file holds these bytes.
    fn holding(bytes: &[u8]) -> Self {
        let bed = Self::new();
        bed.fake.put(FILE, bytes);
        bed
    }

    fn try_open(&self, options: GlusterOptions) -> Result<Arc<Gluster>, GlusterError> {
        now(Gluster::open(options, &self.client))
    }

    /// The only file, opened, and nothing in the journal yet.
    #[track_caller]
    fn open(&self, change: impl FnOnce(GlusterBuilder) -> GlusterBuilder) -> Arc<Gluster> {
        let image = self.try_open(image(change)).expect("nothing is in the way");
        self.fake.journal();
        image
    }

    /// What was told since the last time.
    fn told(&self) -> Vec<Notice> {
        std::mem::take(&mut *self.notices.lock().expect("no test goes on after a panic"))
    }
}

/// Options of the only file.
fn image(change: impl FnOnce(GlusterBuilder) -> GlusterBuilder) -> GlusterOptions {
    let server = Server::Inet { host: "h".into(), port: 24007 };
    change(GlusterOptions::builder("v", "i").server(server)).build().expect("a good image")
}

/// For whom the defaults will do.
fn plain(builder: GlusterBuilder) -> GlusterBuilder {
    builder
}

/// What errors and notices call it.
const NAME: &str = "v/i on h:24007";

/// Where it is.
const FILE: &str = "h:24007 v i";
