//! Error numbers as values: comparable, votable, printable by name.

use std::{fmt, io, num::NonZeroU16, str::FromStr};

/// A POSIX error number (Linux values), the only error of the I/O path.
///
/// Error votes compare these, so they are plain ordered values.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Errno(NonZeroU16);

/// The result of an I/O operation.
pub type Result<T> = std::result::Result<T, Errno>;

impl Errno {
    /// The error with this number, if it is one that Linux can return (1 to 4095).
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        let number = u16::try_from(number).ok().filter(|&n| n <= NUMBER_MAX)?;
        NonZeroU16::new(number).map(Self)
    }

    /// The number itself, always positive.
    #[must_use]
    pub fn number(self) -> i32 {
        i32::from(self.0.get())
    }

    /// The symbolic name, such as `EIO`, where the number has one.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        self.row().map(|(_, name, _)| *name)
    }

    /// The text that `strerror` gives for this number, as QEMU's events carry it.
    #[must_use]
    pub fn message(self) -> String {
        self.row().map_or_else(|| format!("Unknown error {}", self.0), |(.., text)| (*text).into())
    }

    /// Every named error, in numeric order.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|(number, ..)| Self::known(*number))
    }

    fn row(self) -> Option<&'static (u16, &'static str, &'static str)> {
        TABLE.binary_search_by_key(&self.0.get(), |(n, ..)| *n).ok().map(|at| &TABLE[at])
    }

    const fn known(number: u16) -> Self {
        Self(NonZeroU16::new(number).expect("an error number is never zero"))
    }
}

/// The names this workspace uses; every other one parses with [`str::parse`].
impl Errno {
    /// Operation not permitted.
    pub const EPERM: Self = Self::known(1);
    /// No such file or directory.
    pub const ENOENT: Self = Self::known(2);
    /// Input/output error.
    pub const EIO: Self = Self::known(5);
    /// No such device or address.
    pub const ENXIO: Self = Self::known(6);
    /// Bad file descriptor.
    pub const EBADF: Self = Self::known(9);
    /// Resource temporarily unavailable.
    pub const EAGAIN: Self = Self::known(11);
    /// Cannot allocate memory.
    pub const ENOMEM: Self = Self::known(12);
    /// Permission denied.
    pub const EACCES: Self = Self::known(13);
    /// Device or resource busy.
    pub const EBUSY: Self = Self::known(16);
    /// File exists.
    pub const EEXIST: Self = Self::known(17);
    /// Not a directory.
    pub const ENOTDIR: Self = Self::known(20);
    /// Is a directory.
    pub const EISDIR: Self = Self::known(21);
    /// Invalid argument.
    pub const EINVAL: Self = Self::known(22);
    /// File too large.
    pub const EFBIG: Self = Self::known(27);
    /// No space left on device.
    pub const ENOSPC: Self = Self::known(28);
    /// Read-only file system.
    pub const EROFS: Self = Self::known(30);
    /// Numerical result out of range.
    pub const ERANGE: Self = Self::known(34);
    /// File name too long.
    pub const ENAMETOOLONG: Self = Self::known(36);
    /// Value too large for defined data type.
    pub const EOVERFLOW: Self = Self::known(75);
    /// File descriptor in bad state.
    pub const EBADFD: Self = Self::known(77);
    /// Operation not supported.
    pub const ENOTSUP: Self = Self::known(95);
    /// Transport endpoint is not connected.
    pub const ENOTCONN: Self = Self::known(107);
    /// Cannot send after transport endpoint shutdown.
    pub const ESHUTDOWN: Self = Self::known(108);
    /// Connection timed out.
    pub const ETIMEDOUT: Self = Self::known(110);
    /// Disk quota exceeded.
    pub const EDQUOT: Self = Self::known(122);
    /// No medium found.
    pub const ENOMEDIUM: Self = Self::known(123);
    /// Operation canceled.
    pub const ECANCELED: Self = Self::known(125);
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "errno {}", self.0),
        }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Errno {}

impl From<Errno> for io::Error {
    fn from(errno: Errno) -> Self {
        Self::from_raw_os_error(errno.number())
    }
}

impl From<io::Error> for Errno {
    /// The operating system's own number, or `EIO` for an error that has none.
    fn from(error: io::Error) -> Self {
        error.raw_os_error().and_then(Self::from_number).unwrap_or(Self::EIO)
    }
}

/// The text is neither the name nor the number of an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not an error number: write a name such as EIO, or a number from 1 to {NUMBER_MAX}"
)]
pub struct UnknownErrno(String);

impl FromStr for Errno {
    type Err = UnknownErrno;

    fn from_str(text: &str) -> std::result::Result<Self, UnknownErrno> {
        let named = TABLE.iter().find(|(_, name, _)| *name == text).map(|(n, ..)| Self::known(*n));
        let alias = ALIASES.iter().find(|(name, _)| *name == text).map(|(_, errno)| *errno);
        let number = || text.parse().ok().and_then(Self::from_number);
        named.or(alias).or_else(number).ok_or_else(|| UnknownErrno(text.into()))
    }
}

/// The kernel's `MAX_ERRNO`.
const NUMBER_MAX: u16 = 4095;

/// Second names of a number.
const ALIASES: [(&str, Errno); 3] = [
    ("EOPNOTSUPP", Errno::ENOTSUP),
    ("EWOULDBLOCK", Errno::EAGAIN),
    ("EDEADLOCK", Errno::known(35)),
];

/// Number, name and text, by number, as Linux and the GNU C library have them.
#[rustfmt::skip]
const TABLE: &[(u16, &str, &str)] = &[
    (1, "EPERM", "Operation not permitted"),
    (2, "ENOENT", "No such file or directory"),
    (3, "ESRCH", "No such process"),
    (4, "EINTR", "Interrupted system call"),
    (5, "EIO", "Input/output error"),
    (6, "ENXIO", "No such device or address"),
    (7, "E2BIG", "Argument list too long"),
    (8, "ENOEXEC", "Exec format error"),
    (9, "EBADF", "Bad file descriptor"),
    (10, "ECHILD", "No child processes"),
    (11, "EAGAIN", "Resource temporarily unavailable"),
    (12, "ENOMEM", "Cannot allocate memory"),
    (13, "EACCES", "Permission denied"),
    (14, "EFAULT", "Bad address"),
    (15, "ENOTBLK", "Block device required"),
    (16, "EBUSY", "Device or resource busy"),
    (17, "EEXIST", "File exists"),
    (18, "EXDEV", "Invalid cross-device link"),
    (19, "ENODEV", "No such device"),
    (20, "ENOTDIR", "Not a directory"),
    (21, "EISDIR", "Is a directory"),
    (22, "EINVAL", "Invalid argument"),
    (23, "ENFILE", "Too many open files in system"),
    (24, "EMFILE", "Too many open files"),
    (25, "ENOTTY", "Inappropriate ioctl for device"),
    (26, "ETXTBSY", "Text file busy"),
    (27, "EFBIG", "File too large"),
    (28, "ENOSPC", "No space left on device"),
    (29, "ESPIPE", "Illegal seek"),
    (30, "EROFS", "Read-only file system"),
    (31, "EMLINK", "Too many links"),
    (32, "EPIPE", "Broken pipe"),
    (33, "EDOM", "Numerical argument out of domain"),
    (34, "ERANGE", "Numerical result out of range"),
    (35, "EDEADLK", "Resource deadlock avoided"),
    (36, "ENAMETOOLONG", "File name too long"),
    (37, "ENOLCK", "No locks available"),
    (38, "ENOSYS", "Function not implemented"),
    (39, "ENOTEMPTY", "Directory not empty"),
    (40, "ELOOP", "Too many levels of symbolic links"),
    (42, "ENOMSG", "No message of desired type"),
    (43, "EIDRM", "Identifier removed"),
    (44, "ECHRNG", "Channel number out of range"),
    (45, "EL2NSYNC", "Level 2 not synchronized"),
    (46, "EL3HLT", "Level 3 halted"),
    (47, "EL3RST", "Level 3 reset"),
    (48, "ELNRNG", "Link number out of range"),
    (49, "EUNATCH", "Protocol driver not attached"),
    (50, "ENOCSI", "No CSI structure available"),
    (51, "EL2HLT", "Level 2 halted"),
    (52, "EBADE", "Invalid exchange"),
    (53, "EBADR", "Invalid request descriptor"),
    (54, "EXFULL", "Exchange full"),
    (55, "ENOANO", "No anode"),
    (56, "EBADRQC", "Invalid request code"),
    (57, "EBADSLT", "Invalid slot"),
    (59, "EBFONT", "Bad font file format"),
    (60, "ENOSTR", "Device not a stream"),
    (61, "ENODATA", "No data available"),
    (62, "ETIME", "Timer expired"),
    (63, "ENOSR", "Out of streams resources"),
    (64, "ENONET", "Machine is not on the network"),
    (65, "ENOPKG", "Package not installed"),
    (66, "EREMOTE", "Object is remote"),
    (67, "ENOLINK", "Link has been severed"),
    (68, "EADV", "Advertise error"),
    (69, "ESRMNT", "Srmount error"),
    (70, "ECOMM", "Communication error on send"),
    (71, "EPROTO", "Protocol error"),
    (72, "EMULTIHOP", "Multihop attempted"),
    (73, "EDOTDOT", "RFS specific error"),
    (74, "EBADMSG", "Bad message"),
    (75, "EOVERFLOW", "Value too large for defined data type"),
    (76, "ENOTUNIQ", "Name not unique on network"),
    (77, "EBADFD", "File descriptor in bad state"),
    (78, "EREMCHG", "Remote address changed"),
    (79, "ELIBACC", "Can not access a needed shared library"),
    (80, "ELIBBAD", "Accessing a corrupted shared library"),
    (81, "ELIBSCN", ".lib section in a.out corrupted"),
    (82, "ELIBMAX", "Attempting to link in too many shared libraries"),
    (83, "ELIBEXEC", "Cannot exec a shared library directly"),
    (84, "EILSEQ", "Invalid or incomplete multibyte or wide character"),
    (85, "ERESTART", "Interrupted system call should be restarted"),
    (86, "ESTRPIPE", "Streams pipe error"),
    (87, "EUSERS", "Too many users"),
    (88, "ENOTSOCK", "Socket operation on non-socket"),
    (89, "EDESTADDRREQ", "Destination address required"),
    (90, "EMSGSIZE", "Message too long"),
    (91, "EPROTOTYPE", "Protocol wrong type for socket"),
    (92, "ENOPROTOOPT", "Protocol not available"),
    (93, "EPROTONOSUPPORT", "Protocol not supported"),
    (94, "ESOCKTNOSUPPORT", "Socket type not supported"),
    (95, "ENOTSUP", "Operation not supported"),
    (96, "EPFNOSUPPORT", "Protocol family not supported"),
    (97, "EAFNOSUPPORT", "Address family not supported by protocol"),
    (98, "EADDRINUSE", "Address already in use"),
    (99, "EADDRNOTAVAIL", "Cannot assign requested address"),
    (100, "ENETDOWN", "Network is down"),
    (101, "ENETUNREACH", "Network is unreachable"),
    (102, "ENETRESET", "Network dropped connection on reset"),
    (103, "ECONNABORTED", "Software caused connection abort"),
    (104, "ECONNRESET", "Connection reset by peer"),
    (105, "ENOBUFS", "No buffer space available"),
    (106, "EISCONN", "Transport endpoint is already connected"),
    (107, "ENOTCONN", "Transport endpoint is not connected"),
    (108, "ESHUTDOWN", "Cannot send after transport endpoint shutdown"),
    (109, "ETOOMANYREFS", "Too many references: cannot splice"),
    (110, "ETIMEDOUT", "Connection timed out"),
    (111, "ECONNREFUSED", "Connection refused"),
    (112, "EHOSTDOWN", "Host is down"),
    (113, "EHOSTUNREACH", "No route to host"),
    (114, "EALREADY", "Operation already in progress"),
    (115, "EINPROGRESS", "Operation now in progress"),
    (116, "ESTALE", "Stale file handle"),
    (117, "EUCLEAN", "Structure needs cleaning"),
    (118, "ENOTNAM", "Not a XENIX named type file"),
    (119, "ENAVAIL", "No XENIX semaphores available"),
    (120, "EISNAM", "Is a named type file"),
    (121, "EREMOTEIO", "Remote I/O error"),
    (122, "EDQUOT", "Disk quota exceeded"),
    (123, "ENOMEDIUM", "No medium found"),
    (124, "EMEDIUMTYPE", "Wrong medium type"),
    (125, "ECANCELED", "Operation canceled"),
    (126, "ENOKEY", "Required key not available"),
    (127, "EKEYEXPIRED", "Key has expired"),
    (128, "EKEYREVOKED", "Key has been revoked"),
    (129, "EKEYREJECTED", "Key was rejected by service"),
    (130, "EOWNERDEAD", "Owner died"),
    (131, "ENOTRECOVERABLE", "State not recoverable"),
    (132, "ERFKILL", "Operation not possible due to RF-kill"),
    (133, "EHWPOISON", "Memory page has hardware error"),
];
