//! Simulated gluster clusters: the behaviour that was measured of real ones, and the engine over them.
//!
//! The numbers are those of the measurements' tables: 3.1 is what calls do, 3.3 what faults do, each by its
//! row. Rows that are absent are of what a [`Gfapi`](quorate_engine::gluster::api::Gfapi) has not, or are
//! named as differences in `quorate_sim::gluster`.

mod behaviour;
mod connecting;
mod defects;
mod driver;
mod faults;
mod odd;
mod promises;
mod replay;
mod space;
mod volume;
mod write_behind;
