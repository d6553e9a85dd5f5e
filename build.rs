//! Compiles the C++ shim against libtorch's headers and tells the linker where libtorch is.
//!
//! The binary finds libtorch without environment variables: beside the checkout's link `.libtorch`
//! (relative to the binary, so that the checkout can move), in `../lib` (installed), or at the
//! place where it was when it was built.
//!
//! Compiles the kernels of `src/kernels/fused/cuda` twice: with NVRTC for GPUs, of which none is needed here,
//! and for the emulated GPU of the tests. NVRTC comes with torch's wheel; without it the build says so, and
//! has everything but these kernels.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::ptr::null_mut;

fn main() {
    tell_instructions();
    let libtorch = libtorch();
    emulated_gpu();
    cuda_kernels(&libtorch);
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

/// Where the kernels for CUDA lie.
const KERNELS: &str = "src/kernels/fused/cuda/kernels";

/// Makes the library that stands in for NVIDIA's driver in tests. The program does not hold it.
fn emulated_gpu() {
    println!("cargo:rerun-if-changed={KERNELS}");
    let library = out_dir().join("libcuda-emulated.so");
    let mut command =
        cc::Build::new().cpp(true).std("c++17").warnings(false).get_compiler().to_command();
    // As NVRTC: products and sums stay apart, and no function may set a flag of errors.
    command.args(["-shared", "-fPIC", "-ffp-contract=off", "-fno-math-errno"]);
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("fma") {
        command.arg("-mfma");
    }
    command.arg(format!("{KERNELS}/libcuda.cpp")).arg("-o").arg(&library);
    let done = command.status();
    assert!(done.is_ok_and(|status| status.success()), "cannot compile the emulated GPU");
    println!("cargo:rustc-env=BATCHSCOPE_EMULATED_GPU={}", library.display());
}

/// The architectures for which kernels are compiled; later ones start from the PTX.
const ARCHITECTURES: [u32; 6] = [80, 86, 89, 90, 100, 120];
const PTX: u32 = 80;

/// The variable that names NVRTC's file, or says that none is wanted.
const NVRTC_FILE: &str = "BATCHSCOPE_NVRTC";

/// Compiles the kernels for GPUs, or says what is lacking.
fn cuda_kernels(libtorch: &Path) {
    println!("cargo:rerun-if-env-changed={NVRTC_FILE}");
    println!("cargo:rustc-check-cfg=cfg(lacks_nvrtc)");
    let mut list = String::from("const CUBINS: &[(u32, &[u8])] = &[");
    let (mut ptx, mut log) = (format!("const PTX: (u32, &[u8]) = ({PTX}, &[]);"), String::new());
    match find_nvrtc(libtorch).and_then(|library| Nvrtc::load(&library)) {
        Ok(nvrtc) => {
            for arch in ARCHITECTURES {
                let (cubin, said) = nvrtc.compile(&format!("sm_{arch}"));
                log += &format!("architecture sm_{arch}\n{said}\n");
                write!(
                    list,
                    "({arch}, include_bytes!({:?})),",
                    packed(&format!("sm_{arch}"), &cubin)
                )
                .expect("memory suffices");
            }
            let (text, _) = nvrtc.compile(&format!("compute_{PTX}"));
            let file = packed("ptx", &text);
            ptx = format!("const PTX: (u32, &[u8]) = ({PTX}, include_bytes!({file:?}));");
        }
        Err(reason) => {
            println!("cargo:rustc-cfg=lacks_nvrtc");
            let is_wanted = std::env::var_os(NVRTC_FILE).is_none_or(|named| named != "none");
            if is_wanted {
                println!(
                    "cargo:warning=no CUDA kernels of the engine `fused`: {reason}; set {NVRTC_FILE} to the path \
                     of libnvrtc.so.13 (pip: nvidia-cuda-nvrtc 13), or to `none` for no warning"
                );
            }
        }
    }
    write_out("cuda_kernels.rs", format!("{list}];\n{ptx}\n").as_bytes());
    write_out("cuda_kernels.log", log.as_bytes());
}

/// Finds NVRTC: the file that `BATCHSCOPE_NVRTC` names, or else the one that came with torch, or else the one of
/// an installed CUDA toolkit.
fn find_nvrtc(libtorch: &Path) -> Result<PathBuf, String> {
    const NAME: &str = "libnvrtc.so.13";
    if let Some(named) = std::env::var_os(NVRTC_FILE) {
        let named = PathBuf::from(named);
        return match named.is_file() {
            true => Ok(named),
            false => Err(format!("{NVRTC_FILE} names {}, which is no file", named.display())),
        };
    }
    let packages = libtorch.canonicalize().ok();
    let packages = packages.as_deref().and_then(Path::parent).unwrap_or(libtorch);
    let folders =
        [packages.join("nvidia/cu13/lib"), libtorch.join("lib"), "/usr/local/cuda/lib64".into()];
    let mut files = folders.iter().map(|folder| folder.join(NAME));
    files.find(|file| file.is_file()).ok_or_else(|| format!("{NAME} was not found"))
}

fn out_dir() -> PathBuf {
    PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo names a folder"))
}

fn write_out(name: &str, content: &[u8]) -> PathBuf {
    let path = out_dir().join(name);
    std::fs::write(&path, content).expect("cargo's folder can be written to");
    path
}

/// Packs a compiled program into a file: they shrink to a tenth.
fn packed(name: &str, program: &[u8]) -> PathBuf {
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(program).expect("memory suffices");
    write_out(&format!("cuda_kernels.{name}.z"), &packer.finish().expect("memory suffices"))
}

type Program = *mut c_void;

type Create = unsafe extern "C" fn(
    *mut Program,
    *const c_char,
    *const c_char,
    c_int,
    *const *const c_char,
    *const *const c_char,
) -> c_int;
type Compile = unsafe extern "C" fn(Program, c_int, *const *const c_char) -> c_int;
type Destroy = unsafe extern "C" fn(*mut Program) -> c_int;

/// The functions of NVRTC; all return 0 on success.
struct Nvrtc {
    create: Create,
    compile: Compile,
    destroy: Destroy,
    log: [Getter; 2],
    cubin: [Getter; 2],
    ptx: [Getter; 2],
}

/// Gets a size, or that many bytes.
type Getter = unsafe extern "C" fn(Program, *mut c_void) -> c_int;

impl Nvrtc {
    fn load(library: &Path) -> Result<Self, String> {
        // NVRTC looks for its other half by name alone.
        let folder = library.parent().unwrap_or(Path::new("."));
        let builtins = std::fs::read_dir(folder).into_iter().flatten().flatten().find(|entry| {
            entry.file_name().to_string_lossy().starts_with("libnvrtc-builtins.so.13")
        });
        let builtins =
            builtins.ok_or(format!("{} lacks libnvrtc-builtins.so.13", folder.display()))?;
        open(&builtins.path(), libc::RTLD_GLOBAL)?;
        let nvrtc = open(library, libc::RTLD_LOCAL)?;
        let find = |name: &str| {
            let c_name = CString::new(name).expect("names hold no zero");
            // SAFETY: a library that is loaded, and a string that ends with 0.
            let found = unsafe { libc::dlsym(nvrtc, c_name.as_ptr()) };
            if found.is_null() {
                Err(format!("{} has no {name}", library.display()))
            } else {
                Ok(found)
            }
        };
        // SAFETY: these functions take these arguments (nvrtc.h).
        let getter = |name| find(name).map(|f| unsafe { std::mem::transmute::<_, Getter>(f) });
        Ok(Self {
            // SAFETY: as above.
            create: unsafe {
                std::mem::transmute::<*mut c_void, Create>(find("nvrtcCreateProgram")?)
            },
            // SAFETY: as above.
            compile: unsafe {
                std::mem::transmute::<*mut c_void, Compile>(find("nvrtcCompileProgram")?)
            },
            // SAFETY: as above.
            destroy: unsafe {
                std::mem::transmute::<*mut c_void, Destroy>(find("nvrtcDestroyProgram")?)
            },
            log: [getter("nvrtcGetProgramLogSize")?, getter("nvrtcGetProgramLog")?],
            cubin: [getter("nvrtcGetCUBINSize")?, getter("nvrtcGetCUBIN")?],
            ptx: [getter("nvrtcGetPTXSize")?, getter("nvrtcGetPTX")?],
        })
    }

    /// The kernels for an architecture, and what the compiler said.
    fn compile(&self, architecture: &str) -> (Vec<u8>, String) {
        let text = |value: &str| CString::new(value).expect("sources hold no zero");
        let read = |file: &Path| text(&std::fs::read_to_string(file).expect("sources can be read"));
        let files = std::fs::read_dir(KERNELS).expect("the kernels are in the checkout");
        let files: Vec<PathBuf> = files.flatten().map(|entry| entry.path()).collect();
        let names: Vec<CString> = files
            .iter()
            .map(|file| text(&file.file_name().unwrap_or_default().to_string_lossy()))
            .collect();
        let sources: Vec<CString> = files.iter().map(|file| read(file)).collect();
        let (main, name) = (text("#include \"kernels.cu\"\n"), text("all.cu"));
        let options = [
            format!("--gpu-architecture={architecture}"),
            "--std=c++17".into(),
            // A product and a sum are one operation only where the source says so.
            "--fmad=false".into(),
            "--ptxas-options=-v".into(),
        ];
        let options: Vec<CString> = options.iter().map(|option| text(option)).collect();
        let pointers = |list: &[CString]| list.iter().map(|each| each.as_ptr()).collect::<Vec<_>>();
        let (names, sources, options) = (pointers(&names), pointers(&sources), pointers(&options));
        let mut program = null_mut();
        // SAFETY: strings end with 0, lists are as long as is said, and live until the end.
        let made = unsafe {
            (self.create)(
                &mut program,
                main.as_ptr(),
                name.as_ptr(),
                names.len() as c_int,
                sources.as_ptr(),
                names.as_ptr(),
            )
        };
        assert_eq!(made, 0, "NVRTC cannot begin");
        // SAFETY: as above.
        let code = unsafe { (self.compile)(program, options.len() as c_int, options.as_ptr()) };
        let said = get(program, self.log);
        let said = CStr::from_bytes_until_nul(&said).unwrap_or_default().to_string_lossy();
        assert_eq!(code, 0, "the CUDA kernels do not compile for {architecture}:\n{said}");
        let is_ptx = architecture.starts_with("compute");
        let found = get(program, if is_ptx { self.ptx } else { self.cubin });
        // SAFETY: as above.
        unsafe { (self.destroy)(&mut program) };
        (found, said.into_owned())
    }
}

/// Bytes of a program, of which one function gives the number and the other the content.
fn get(program: Program, [size, content]: [Getter; 2]) -> Vec<u8> {
    let mut count = 0usize;
    // SAFETY: NVRTC writes the size of the program to `count`.
    unsafe { size(program, (&raw mut count).cast()) };
    let mut bytes = vec![0u8; count];
    // SAFETY: NVRTC writes `count` bytes, and `bytes` has room for them.
    unsafe { content(program, bytes.as_mut_ptr().cast()) };
    bytes
}

/// Loads a library for good.
fn open(library: &Path, how: c_int) -> Result<*mut c_void, String> {
    let path = CString::new(library.as_os_str().as_encoded_bytes()).map_err(|e| e.to_string())?;
    // SAFETY: a string that ends with 0; NVIDIA's libraries start nothing when they are loaded.
    let found = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | how) };
    if found.is_null() { Err(format!("{} cannot be loaded", library.display())) } else { Ok(found) }
}
