//! Generates `include/sock.h` from the comments and signatures in `src/api`.

fn main() {
    println!("cargo::rerun-if-changed=src/api");
    println!("cargo::rerun-if-changed=cbindgen.toml");
    println!("cargo::rerun-if-changed=include/sock.h");
    // As the Makefile links it.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    #[cfg(feature = "header")]
    header::generate();
}

#[cfg(feature = "header")]
mod header {
    use std::env;
    use std::path::Path;

    /// A header that is up to date is not touched, and one that cannot be written (sources are often
    /// read-only where packages are built) is left as it was committed.
    pub fn generate() {
        let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
        let root = Path::new(&root);
        let mut config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml is valid");
        config.header = Some(introduction());
        config.after_includes = Some(macros());
        let mut builder = cbindgen::Builder::new().with_config(config);
        for group in ["mode", "transfer", "connection", "names", "wait", "about"] {
            builder = builder.with_src(root.join(format!("src/api/{group}.rs")));
        }
        let bindings = builder.generate().expect("src/api has C declarations");
        let mut text = Vec::new();
        bindings.write(&mut text);
        let path = root.join("include/sock.h");
        if std::fs::read(&path).is_ok_and(|committed| committed == text) {
            return;
        }
        if let Err(error) = std::fs::write(&path, text) {
            println!("cargo::warning=include/sock.h is out of date and cannot be written: {error}");
        }
    }

    fn introduction() -> String {
        include_str!("include/introduction.txt").to_owned()
    }

    fn macros() -> String {
        let version = |part: &str| env::var(format!("CARGO_PKG_VERSION{part}")).expect("cargo sets it");
        format!(
            "\n/** No timeout: the seconds of blocking mode. */\n\
             #define LIBSOCK_FOREVER INFINITY\n\n\
             /** The version of this header; `sock_version` tells that of the library. */\n\
             #define LIBSOCK_VERSION \"{}\"\n\
             #define LIBSOCK_VERSION_MAJOR {}\n\
             #define LIBSOCK_VERSION_MINOR {}\n\
             #define LIBSOCK_VERSION_PATCH {}",
            version(""),
            version("_MAJOR"),
            version("_MINOR"),
            version("_PATCH"),
        )
    }
}
