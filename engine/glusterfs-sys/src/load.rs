//! How the library is found.

use super::Api;
use std::{error::Error, fmt, sync::OnceLock};

#[cfg(not(feature = "linked"))]
pub(super) use dynamic::{c_text, library, symbol};

/// Why libgfapi cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// There is no such library, or it cannot be loaded; the loader's own words.
    Library(String),
    /// The library is too old.
    Symbol {
        /// The call that it lacks.
        name: &'static str,
        /// The version of the call that is needed.
        version: &'static str,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Library(why) => write!(
                f,
                "libgfapi.so.0 cannot be loaded ({why}): install GlusterFS's client library \
                 (Debian: glusterfs-common, Fedora: libgfapi0)"
            ),
            Self::Symbol { name, version } => {
                write!(f, "libgfapi.so.0 has no {name}@{version}: install GlusterFS 6 or newer")
            }
        }
    }
}

impl Error for LoadError {}

impl Api {
    /// The library, which is loaded once and never let go: its threads live for as long as the process.
    ///
    /// # Errors
    /// There is no such library, or it is older than GlusterFS 6.
    pub fn load() -> Result<&'static Self, &'static LoadError> {
        static API: OnceLock<Result<Api, LoadError>> = OnceLock::new();
        API.get_or_init(Self::bind).as_ref()
    }
}

#[cfg(not(feature = "linked"))]
mod dynamic {
    use super::LoadError;
    use libc::{RTLD_LOCAL, RTLD_NODELETE, RTLD_NOW, c_void};
    use std::ffi::CStr;

    pub(crate) fn library() -> Result<*mut c_void, LoadError> {
        let flags = RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE;
        // SAFETY: a string of C. What the library does when it is loaded is safe at any time: it has
        // constructors for its own data only.
        let library = unsafe { libc::dlopen(c"libgfapi.so.0".as_ptr(), flags) };
        if library.is_null() { Err(LoadError::Library(why())) } else { Ok(library) }
    }

    /// Why the last call of this thread to the loader failed.
    fn why() -> String {
        // SAFETY: the answer is null, or a string that lives until this thread calls the loader again.
        unsafe {
            let text = libc::dlerror();
            if text.is_null() {
                "for no reason that the loader gives".into()
            } else {
                CStr::from_ptr(text).to_string_lossy().into_owned()
            }
        }
    }

    /// The address of `name` at `version`.
    pub(crate) fn symbol(
        library: *mut c_void,
        name: &'static CStr,
        version: &'static CStr,
    ) -> Result<*mut c_void, LoadError> {
        // SAFETY: `library` is loaded for good.
        #[cfg(target_env = "gnu")]
        let symbol = unsafe { libc::dlvsym(library, name.as_ptr(), version.as_ptr()) };
        // Other loaders than glibc's know no versions.
        // SAFETY: `library` is loaded for good.
        #[cfg(not(target_env = "gnu"))]
        let symbol = unsafe { libc::dlsym(library, name.as_ptr()) };
        let text = |text: &'static CStr| text.to_str().expect("it came from a str");
        if symbol.is_null() {
            return Err(LoadError::Symbol { name: text(name), version: text(version) });
        }
        Ok(symbol)
    }

    /// A text that ends with a NUL and has no other.
    pub(crate) const fn c_text(text: &'static str) -> &'static CStr {
        match CStr::from_bytes_with_nul(text.as_bytes()) {
            Ok(text) => text,
            Err(_) => panic!("a name of C has no NUL"),
        }
    }
}
