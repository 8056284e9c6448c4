//! Catches a panic with its message and place, and keeps it off the terminal.

use std::{
    cell::RefCell,
    panic::{self, AssertUnwindSafe},
    sync::Once,
};

thread_local! {
    /// What the panic said, while this thread is being guarded.
    static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The result, or what the panic said and where.
pub(crate) fn catch<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let guarded = SAID.with_borrow_mut(|said| {
                said.as_mut().map(|said| {
                    let what = panic.payload_as_str().unwrap_or("a panic without words");
                    let place = panic.location().map(|at| format!(", at {at}")).unwrap_or_default();
                    *said = format!("{what}{place}");
                })
            });
            if guarded.is_none() {
                others(panic);
            }
        }));
    });
    SAID.set(Some(String::new()));
    let result = panic::catch_unwind(AssertUnwindSafe(act));
    let said = SAID.take().unwrap_or_default();
    result.map_err(|_| said)
}
