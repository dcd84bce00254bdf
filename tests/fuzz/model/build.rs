//! Links to the library that was built.

fn main() {
    println!("cargo::rerun-if-env-changed=LIBSOCK_BUILD");
    let build = std::env::var("LIBSOCK_BUILD").expect("LIBSOCK_BUILD tells where libsock.so is");
    println!("cargo::rustc-link-search=native={build}");
    println!("cargo::rustc-link-lib=dylib=sock");
    println!("cargo::rustc-link-arg=-Wl,-rpath,{build}");
}
