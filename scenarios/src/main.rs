//! The command `quorate`.

use quorate_scenarios::cli;
use std::{panic, process::ExitCode};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let ran = panic::catch_unwind(|| cli::of_process(std::env::args_os()));
    ExitCode::from(ran.unwrap_or(cli::exit::INTERNAL))
}
