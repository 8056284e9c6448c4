//! The array: what it asks of children whose answers are in the test's hands.

mod control;
mod detached;
mod flush;
mod fragments;
mod membership;
mod overlap;
mod padding;
mod read;
mod repair;
mod threads;
mod write;
mod zeroes;
