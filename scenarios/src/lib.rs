//! Scenarios of a quorum array: what they say, how they run, how a run is judged.
//!
//! - [`model`]: a scenario as data; [`load`] reads files, [`catalog`] has those of the project,
//! - [`expand`]: from a profile and a seed to a concrete scenario,
//! - [`export`]: from a run to a scenario that draws nothing,
//! - [`runner`]: runs a concrete scenario, on the disks of an environment ([`env`](mod@env)),
//! - [`conform`]: whether it comes out the same in another one,
//! - [`spec`] and [`oracle`]: the rules, and whether a run kept to them,
//! - [`exhaust`]: every vote of a few children, and a certificate of it,
//! - [`fuzz`]: many seeds on every core; [`shrink`]: from a failure to the least that shows it,
//! - [`cli`]: the command `quorate`.
//!
//! # Any array, not only ours
//!
//! The scenarios can be run against another engine: give a function from children to a device. This
//! one mirrors writes and reads its first child. The oracle wants a vote:
//!
//! ```
//! use bytes::Bytes;
//! use quorate_engine::{
//!     BlockDevice, Extent, Flags, IoFuture, Limits, Prealloc, Result,
//! };
//! use quorate_reports::Verdict;
//! use quorate_scenarios::{catalog, fuzz::attempt, model::Scenario, runner::{Opening, Parts, Scratch}};
//! use std::sync::Arc;
//!
//! struct Mirror(Vec<Arc<dyn BlockDevice>>);
//!
//! impl Mirror {
//!     fn each<'a>(&'a self, ask: impl Fn(&'a dyn BlockDevice) -> IoFuture<'a, ()>) -> IoFuture<'a, ()> {
//!         let asked: Vec<_> = self.0.iter().map(|child| ask(&**child)).collect();
//!         Box::pin(async { futures_util::future::join_all(asked).await.into_iter().collect() })
//!     }
//! }
//!
//! impl BlockDevice for Mirror {
//!     fn limits(&self) -> Limits { self.0[0].limits() }
//!     fn length(&self) -> IoFuture<'_, u64> { self.0[0].length() }
//!     fn pread(&self, at: u64, bytes: usize) -> IoFuture<'_, Bytes> { self.0[0].pread(at, bytes) }
//!     fn pwrite(&self, at: u64, data: Bytes, flags: Flags) -> IoFuture<'_, ()> {
//!         self.each(move |child| child.pwrite(at, data.clone(), flags))
//!     }
//!     fn pwrite_zeroes(&self, at: u64, bytes: u64, flags: Flags) -> IoFuture<'_, ()> {
//!         self.each(move |child| child.pwrite_zeroes(at, bytes, flags))
//!     }
//!     fn pdiscard(&self, _: u64, _: u64) -> IoFuture<'_, ()> { Box::pin(async { Ok(()) }) }
//!     fn flush(&self) -> IoFuture<'_, ()> { self.each(|child| child.flush()) }
//!     fn block_status(&self, at: u64, bytes: u64) -> IoFuture<'_, Extent> {
//!         self.0[0].block_status(at, bytes)
//!     }
//!     fn truncate(&self, bytes: u64, how: Prealloc) -> IoFuture<'_, ()> {
//!         self.each(move |child| child.truncate(bytes, how))
//!     }
//!     fn close(&self) -> IoFuture<'_, ()> { self.each(|child| child.close()) }
//! }
//!
//! let mirror = |_: &Scenario, parts: Parts| -> Opening {
//!     let children = parts.children.into_iter().map(|(_, device)| device).collect();
//!     Box::pin(async move { Ok(Arc::new(Mirror(children)) as Arc<dyn BlockDevice>) })
//! };
//! let scenario = catalog::scenario("read-corrupt").expect("it is in the catalog");
//! let run = attempt::run(&scenario, "mirror", Some(&mirror), &mut Scratch::default(), None);
//! assert_eq!(run.verdict, Verdict::Violated);
//! assert_eq!(run.violations[0].check, "backing");
//! ```

#![forbid(unsafe_code)]

pub mod catalog;
pub mod cli;
pub mod conform;
pub mod diff;
pub mod env;
pub mod exhaust;
pub mod expand;
pub mod export;
pub mod fuzz;
pub mod load;
pub mod metamorphic;
pub mod model;
pub mod oracle;
pub mod runner;
pub mod shrink;
pub mod spec;
