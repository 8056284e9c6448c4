//! Nodes: children that are served, exports, and whole arrays.

use super::{CHILDREN, Client, Daemon, TELLING};
use crate::{
    child::Child,
    error::Error,
    qmp::{self, Event},
};
use serde_json::{Value, json};

impl<C: Child> Daemon<C> {
    /// Serves a child, and adds a node of its name that is it.
    ///
    /// # Errors
    /// The node cannot be added, or the daemon is gone or hangs.
    pub fn serve(&mut self, name: &str, child: C) -> Result<(), Error> {
        let node = node(name, &child);
        self.children.insert(name.into(), child);
        self.obey("blockdev-add", &node).map(|_| ())
    }

    /// Removes the node of a child that is served, and gives the child back.
    ///
    /// # Errors
    /// The node is in use, or the daemon is gone or hangs.
    ///
    /// # Panics
    /// No such child is served.
    pub fn retire(&mut self, name: &str) -> Result<C, Error> {
        self.obey("blockdev-del", &json!({"node-name": name}))?;
        Ok(self.children.remove(name).expect("the child is served"))
    }

    /// A child that is served.
    ///
    /// # Panics
    /// No such child is served.
    pub fn child(&mut self, name: &str) -> &mut C {
        self.children.get_mut(name).expect("the child is served")
    }

    /// Exports a node and connects with it.
    ///
    /// # Errors
    /// The node cannot be exported, or the daemon is gone or hangs.
    pub fn export(&mut self, node: &str) -> Result<Client, Error> {
        self.export_as(node, true)
    }

    /// The same for a node that is only to be read.
    ///
    /// # Errors
    /// The node cannot be exported, or the daemon is gone or hangs.
    pub fn export_read_only(&mut self, node: &str) -> Result<Client, Error> {
        self.export_as(node, false)
    }

    fn export_as(&mut self, node: &str, writable: bool) -> Result<Client, Error> {
        let export = json!({
            "type": "nbd", "id": node, "node-name": node, "name": node, "writable": writable,
        });
        self.obey("block-export-add", &export)?;
        self.connect_steadily(node, false)
    }

    /// Connects once more with an export, to ask for its status and nothing else. The connection goes with the export.
    ///
    /// # Errors
    /// There is no such export, or the daemon is gone or hangs.
    pub fn ask_status(&mut self, node: &str) -> Result<Client, Error> {
        self.connect_steadily(node, true)
    }

    fn connect_steadily(&mut self, node: &str, asks_status: bool) -> Result<Client, Error> {
        self.leap(false)?;
        let client = self.connect(node, asks_status);
        self.leap(true)?;
        client
    }

    /// From now on its time leaps, if it can, or is that of the machine.
    pub(super) fn leap(&self, leaps: bool) -> Result<(), Error> {
        self.clock.as_ref().map_or(Ok(()), |clock| clock.turn(leaps))
    }

    /// Opens an array over these children and exports it: the same as to serve them, to add a node with these options
    /// and to export it, but in one go. The children's nodes are the array's own, and go with it.
    ///
    /// # Errors
    /// The array does not open, which leaves nothing behind, or the daemon is gone or hangs.
    ///
    /// # Panics
    /// The options are no object with a `node-name`.
    pub fn open(
        &mut self,
        options: &Value,
        children: impl IntoIterator<Item = (String, C)>,
    ) -> Result<Client, Error> {
        let mut array = options.clone();
        let (mut names, mut nodes) = (Vec::new(), Vec::new());
        for (name, child) in children {
            nodes.push(node(&name, &child));
            self.children.insert(name.clone(), child);
            names.push(name);
        }
        array["children"] = nodes.into();
        let name = options["node-name"].as_str().expect("the caller names the array");
        let opened = self.obey("blockdev-add", &array).and_then(|_| {
            let writable = options.get("read-only") != Some(&Value::Bool(true));
            let exported = self.export_as(name, writable);
            if let Err(Error::Refused { .. } | Error::Export { .. }) = exported {
                self.obey("blockdev-del", &json!({"node-name": name}))?;
            }
            exported
        });
        match opened {
            Ok(client) => {
                self.arrays.insert(client, names);
                Ok(client)
            }
            Err(error) => {
                names.iter().for_each(|name| drop(self.children.remove(name)));
                Err(error)
            }
        }
    }

    /// Closes an array that was opened, and gives its children back.
    ///
    /// # Errors
    /// It is in use, or the daemon is gone or hangs.
    ///
    /// # Panics
    /// The client's array was not opened in one go, or was closed.
    pub fn close(&mut self, client: Client) -> Result<Vec<C>, Error> {
        let names = self.arrays.remove(&client).expect("the array is open");
        let name = Value::from(self.hang_up(client).expect("its client was not shut"));
        let end = json!({"id": name, "mode": "hard"});
        self.command(&qmp::command("block-export-del", &end))?;
        let ended = self.monitor.asked;
        let node = json!({"node-name": name});
        // Mostly the export is gone by the time that QEMU reads the second command.
        let removed = self.ask("blockdev-del", &node)?;
        if let Some(Err(refusal)) = self.monitor.answers.remove(&ended) {
            return Err(Error::Refused { asked: format!("block-export-del {end}"), refusal });
        }
        self.until_export_ends(&name)?;
        if removed.is_err() {
            self.obey("blockdev-del", &node)?;
        }
        let child = |name: String| self.children.remove(&name).expect("it is served");
        Ok(names.into_iter().map(child).collect())
    }

    /// Ends all connections with a client's export, whose name it is.
    fn hang_up(&mut self, client: Client) -> Option<String> {
        let name = self.clients.get(&client.0)?.state.export().to_owned();
        self.clients.retain(|_, connection| connection.state.export() != name);
        Some(name)
    }

    /// Waits for the event of that, and takes it.
    fn until_export_ends(&mut self, id: &Value) -> Result<(), Error> {
        self.until("the end of an export", |daemon| {
            let events = &mut daemon.monitor.events;
            let gone = |e: &Event| e.name == "BLOCK_EXPORT_DELETED" && e.data.get("id") == Some(id);
            events.iter().position(gone).map(|at| drop(events.remove(at)))
        })
    }

    /// Ends a connection, and the export with it.
    ///
    /// # Errors
    /// The daemon is gone or hangs.
    pub fn shut(&mut self, client: Client) -> Result<(), Error> {
        let Some(id) = self.hang_up(client).map(Value::from) else { return Ok(()) };
        self.obey("block-export-del", &json!({"id": id, "mode": "hard"}))?;
        self.until_export_ends(&id)
    }
}

/// A node that is a child. It may give space back, as its parents do not say otherwise.
fn node(name: &str, child: &impl Child) -> Value {
    let abilities = child.abilities();
    // The path is one in the daemon's directory.
    let path = if abilities.tells_status { TELLING } else { CHILDREN };
    let mut node = json!({
        "driver": "nbd", "node-name": name, "export": name, "discard": "unmap",
        "server": {"type": "unix", "path": path},
    });
    if abilities.read_only {
        node["read-only"] = true.into();
    }
    node
}
