//! Compiles the C++ shim against libtorch's headers and tells the linker where libtorch is.
//!
//! The binary finds libtorch without environment variables: beside the checkout's link `.libtorch`
//! (relative to the binary, so that the checkout can move), in `../lib` (installed), or at the
//! place where it was when it was built.

use std::path::{Path, PathBuf};

fn main() {
    tell_instructions();
    let libtorch = libtorch();
    println!("cargo:rerun-if-changed=src/kernels/libtorch/shim.cpp");
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .warnings(false)
        .include(libtorch.join("include"))
        .include(libtorch.join("include/torch/csrc/api/include"))
        .define("_GLIBCXX_USE_CXX11_ABI", "1")
        .file("src/kernels/libtorch/shim.cpp")
        .compile("batchscope_shim");
    for library in ["torch_cpu", "c10"] {
        println!("cargo:rustc-link-lib={library}");
    }
    let lib = libtorch.join("lib");
    println!("cargo:rustc-link-search=native={}", lib.display());
    let places =
        ["$ORIGIN/../../.libtorch/lib", "$ORIGIN/../../../.libtorch/lib", "$ORIGIN/../lib"];
    for place in places.iter().map(Path::new).chain([lib.as_path()]) {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", place.display());
    }
}

/// Tells tests which instructions this processor lacks, so that they are shown as ignored and not as
/// passed; what `BATCHSCOPE_REQUIRE` names is tested all the same, and fails where it is missing.
fn tell_instructions() {
    println!("cargo:rerun-if-env-changed=BATCHSCOPE_REQUIRE");
    let required = std::env::var_os("BATCHSCOPE_REQUIRE").unwrap_or_default();
    let required = required.to_string_lossy();
    #[cfg(target_arch = "x86_64")]
    let (avx2, avx512) = {
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        (avx2, avx2 && is_x86_feature_detected!("avx512f"))
    };
    #[cfg(not(target_arch = "x86_64"))]
    let (avx2, avx512) = (false, false);
    for (name, is_there) in [("avx2", avx2), ("avx512", avx512)] {
        println!("cargo:rustc-check-cfg=cfg(lacks_{name})");
        if !is_there && !required.split(',').any(|wanted| wanted == name) {
            println!("cargo:rustc-cfg=lacks_{name}");
        }
    }
}

/// The folder that `.cargo/config.toml` names, which `scripts/setup` fills.
fn libtorch() -> PathBuf {
    let named = std::env::var_os("LIBTORCH").map(PathBuf::from).unwrap_or_default();
    match named.join("include/torch").is_dir() {
        true => named,
        false => panic!(
            "libtorch is not at `{}`: run `scripts/setup` once in this checkout",
            named.display()
        ),
    }
}
