//! About the library.

use libc::{c_char, c_int};

/// A constant string for C. Two NULs end it, for with one it would be put among all the strings that can
/// be merged, std's panic messages included, which the linker keeps or drops as a whole.
macro_rules! text {
    ($text:expr) => {
        concat!($text, "\0\0").as_ptr().cast::<c_char>()
    };
}

/// Puts a code into words.
///
/// @param code  what a function returned, or an error number: either sign will do
///
/// @return a constant string in English, never NULL: "Success" for 0, "Unknown error" for a number that
/// is no error's
///
/// Safe to call from any thread, from a signal handler and after fork, unlike strerror(3).
#[unsafe(no_mangle)]
pub extern "C" fn sock_strerror(code: c_int) -> *const c_char {
    match code.wrapping_abs() {
        0 => text!("Success"),
        libc::EPERM => text!("Operation not permitted"),
        libc::ENOENT => text!("No such file or directory"),
        libc::ESRCH => text!("No such process"),
        libc::EINTR => text!("Interrupted system call"),
        libc::EIO => text!("Input/output error"),
        libc::ENXIO => text!("No such device or address"),
        libc::E2BIG => text!("Argument list too long"),
        libc::ENOEXEC => text!("Exec format error"),
        libc::EBADF => text!("Bad file descriptor"),
        libc::ECHILD => text!("No child processes"),
        libc::EAGAIN => text!("Not ready, try again"),
        libc::ENOMEM => text!("Cannot allocate memory"),
        libc::EACCES => text!("Permission denied"),
        libc::EFAULT => text!("Bad address"),
        libc::ENOTBLK => text!("Block device required"),
        libc::EBUSY => text!("Device or resource busy"),
        libc::EEXIST => text!("File exists"),
        libc::EXDEV => text!("Invalid cross-device link"),
        libc::ENODEV => text!("No such device"),
        libc::ENOTDIR => text!("Not a directory"),
        libc::EISDIR => text!("Is a directory"),
        libc::EINVAL => text!("Invalid argument"),
        libc::ENFILE => text!("Too many open files in system"),
        libc::EMFILE => text!("Too many open files"),
        libc::ENOTTY => text!("Inappropriate ioctl for device"),
        libc::ETXTBSY => text!("Text file busy"),
        libc::EFBIG => text!("File too large"),
        libc::ENOSPC => text!("No space left on device"),
        libc::ESPIPE => text!("Illegal seek"),
        libc::EROFS => text!("Read-only file system"),
        libc::EMLINK => text!("Too many links"),
        libc::EPIPE => text!("Broken pipe"),
        libc::EDOM => text!("Numerical argument out of domain"),
        libc::ERANGE => text!("Numerical result out of range"),
        libc::ENAMETOOLONG => text!("File name too long"),
        libc::ENOLCK => text!("No locks available"),
        libc::ENOSYS => text!("Function not implemented"),
        libc::ENOTEMPTY => text!("Directory not empty"),
        libc::ELOOP => text!("Too many levels of symbolic links"),
        libc::ENOMSG => text!("No message of desired type"),
        libc::EIDRM => text!("Identifier removed"),
        libc::ECHRNG => text!("Channel number out of range"),
        libc::EL2NSYNC => text!("Level 2 not synchronized"),
        libc::EL3HLT => text!("Level 3 halted"),
        libc::EL3RST => text!("Level 3 reset"),
        libc::ELNRNG => text!("Link number out of range"),
        libc::EUNATCH => text!("Protocol driver not attached"),
        libc::ENOCSI => text!("No CSI structure available"),
        libc::EL2HLT => text!("Level 2 halted"),
        libc::EBADE => text!("Invalid exchange"),
        libc::EBADR => text!("Invalid request descriptor"),
        libc::EXFULL => text!("Exchange full"),
        libc::ENOANO => text!("No anode"),
        libc::EBADRQC => text!("Invalid request code"),
        libc::EBADSLT => text!("Invalid slot"),
        libc::EBFONT => text!("Bad font file format"),
        libc::ENOSTR => text!("Device not a stream"),
        libc::ENODATA => text!("No data available"),
        libc::ETIME => text!("Timer expired"),
        libc::ENOSR => text!("Out of streams resources"),
        libc::ENONET => text!("Machine is not on the network"),
        libc::ENOPKG => text!("Package not installed"),
        libc::EREMOTE => text!("Object is remote"),
        libc::ENOLINK => text!("Link has been severed"),
        libc::EADV => text!("Advertise error"),
        libc::ESRMNT => text!("Srmount error"),
        libc::ECOMM => text!("Communication error on send"),
        libc::EPROTO => text!("Protocol error"),
        libc::EMULTIHOP => text!("Multihop attempted"),
        libc::EDOTDOT => text!("RFS specific error"),
        libc::EBADMSG => text!("Bad message"),
        libc::EOVERFLOW => text!("Value too large for defined data type"),
        libc::ENOTUNIQ => text!("Name not unique on network"),
        libc::EBADFD => text!("File descriptor in bad state"),
        libc::EREMCHG => text!("Remote address changed"),
        libc::ELIBACC => text!("Can not access a needed shared library"),
        libc::ELIBBAD => text!("Accessing a corrupted shared library"),
        libc::ELIBSCN => text!(".lib section in a.out corrupted"),
        libc::ELIBMAX => text!("Attempting to link in too many shared libraries"),
        libc::ELIBEXEC => text!("Cannot exec a shared library directly"),
        libc::EILSEQ => text!("Invalid or incomplete multibyte or wide character"),
        libc::ERESTART => text!("Interrupted system call should be restarted"),
        libc::ESTRPIPE => text!("Streams pipe error"),
        libc::EUSERS => text!("Too many users"),
        libc::ENOTSOCK => text!("Socket operation on non-socket"),
        libc::EDESTADDRREQ => text!("Destination address required"),
        libc::EMSGSIZE => text!("Message too long"),
        libc::EPROTOTYPE => text!("Protocol wrong type for socket"),
        libc::ENOPROTOOPT => text!("Protocol not available"),
        libc::EPROTONOSUPPORT => text!("Protocol not supported"),
        libc::ESOCKTNOSUPPORT => text!("Socket type not supported"),
        libc::EPFNOSUPPORT => text!("Protocol family not supported"),
        libc::EAFNOSUPPORT => text!("Address family not supported by protocol"),
        libc::EADDRINUSE => text!("Address already in use"),
        libc::EADDRNOTAVAIL => text!("Cannot assign requested address"),
        libc::ENETDOWN => text!("Network is down"),
        libc::ENETUNREACH => text!("Network is unreachable"),
        libc::ENETRESET => text!("Network dropped connection on reset"),
        libc::ECONNABORTED => text!("Software caused connection abort"),
        libc::ECONNRESET => text!("Connection reset by peer"),
        libc::ENOBUFS => text!("No buffer space available"),
        libc::EISCONN => text!("Transport endpoint is already connected"),
        libc::ENOTCONN => text!("Transport endpoint is not connected"),
        libc::ESHUTDOWN => text!("Cannot send after transport endpoint shutdown"),
        libc::ETOOMANYREFS => text!("Too many references: cannot splice"),
        libc::ETIMEDOUT => text!("Timed out"),
        libc::ECONNREFUSED => text!("Connection refused"),
        libc::EHOSTDOWN => text!("Host is down"),
        libc::EHOSTUNREACH => text!("No route to host"),
        libc::EALREADY => text!("Operation already in progress"),
        libc::EINPROGRESS => text!("Operation now in progress"),
        libc::ESTALE => text!("Stale file handle"),
        libc::EUCLEAN => text!("Structure needs cleaning"),
        libc::ENOTNAM => text!("Not a XENIX named type file"),
        libc::ENAVAIL => text!("No XENIX semaphores available"),
        libc::EISNAM => text!("Is a named type file"),
        libc::EREMOTEIO => text!("Remote I/O error"),
        libc::EDQUOT => text!("Disk quota exceeded"),
        libc::ENOMEDIUM => text!("No medium found"),
        libc::EMEDIUMTYPE => text!("Wrong medium type"),
        libc::ECANCELED => text!("Operation canceled"),
        libc::ENOKEY => text!("Required key not available"),
        libc::EKEYEXPIRED => text!("Key has expired"),
        libc::EKEYREVOKED => text!("Key has been revoked"),
        libc::EKEYREJECTED => text!("Key was rejected by service"),
        libc::EOWNERDEAD => text!("Owner died"),
        libc::ENOTRECOVERABLE => text!("State not recoverable"),
        libc::ERFKILL => text!("Operation not possible due to RF-kill"),
        _ => text!("Unknown error"),
    }
}

/// Tells the version of the library.
///
/// @return the version as a constant string, such as "0.1.0"; `LIBSOCK_VERSION` is that of the header
///
/// Safe to call from any thread, from a signal handler and after fork.
#[unsafe(no_mangle)]
pub extern "C" fn sock_version() -> *const c_char {
    text!(env!("CARGO_PKG_VERSION"))
}
