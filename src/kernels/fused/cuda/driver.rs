//! The functions of NVIDIA's driver (`libcuda.so.1`) that the engine needs, found when it is first used.
//!
//! Nothing of CUDA is linked: where there is no driver, or one that is too old, the error says so. All other
//! modules ask [`Gpu`](super::gpu::Gpu), which holds one device.

use anyhow::{Context, Result, anyhow, bail, ensure};
use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::path::Path;

/// The library's name, as the loader knows it.
pub(super) const LIBRARY: &str = "libcuda.so.1";

/// The version of CUDA that the kernels are compiled for, as the driver counts: 13.0.
const CUDA: c_int = 13_000;

/// What is to be done about an old driver, or none.
const DRIVER_NEEDED: &str = "a driver of version 580 or later is needed";

/// What functions return: 0, or the number of an error.
type Status = c_int;

const OUT_OF_MEMORY: Status = 2;
const NO_DEVICE: Status = 100;

/// Something of the driver's: a context, module, function or stream.
pub(super) type Handle = *mut c_void;

/// The GPU has no room for what was asked.
#[derive(Debug)]
pub(super) struct NoRoom;

impl std::fmt::Display for NoRoom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(
            "the GPU is out of memory: smaller batches, or other programs on it, would help",
        )
    }
}

impl std::error::Error for NoRoom {}

/// There is no driver.
#[derive(Debug)]
pub(super) struct NoDriver;

impl std::fmt::Display for NoDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "this machine has no NVIDIA driver ({LIBRARY}): {DRIVER_NEEDED}")
    }
}

impl std::error::Error for NoDriver {}

macro_rules! functions {
    ($($name:ident = $symbol:literal ($($argument:ty),*);)*) => {
        /// The functions, found in a library that stays loaded.
        #[derive(Clone, Copy)]
        pub(super) struct Driver {
            $(pub(super) $name: unsafe extern "C" fn($($argument),*) -> Status,)*
        }

        impl Driver {
            fn find(library: Handle) -> Result<Self> {
                Ok(Self {
                    $($name: {
                        let found = symbol(library, $symbol)?;
                        // SAFETY: the driver's function of this name takes these arguments (cuda.h).
                        unsafe {
                            std::mem::transmute::<Handle, unsafe extern "C" fn($($argument),*) -> Status>(found)
                        }
                    },)*
                })
            }
        }
    };
}

functions! {
    init = "cuInit" (c_uint);
    version = "cuDriverGetVersion" (*mut c_int);
    error_text = "cuGetErrorString" (Status, *mut *const c_char);
    device_count = "cuDeviceGetCount" (*mut c_int);
    device = "cuDeviceGet" (*mut c_int, c_int);
    device_name = "cuDeviceGetName" (*mut c_char, c_int, c_int);
    device_memory = "cuDeviceTotalMem_v2" (*mut usize, c_int);
    device_attribute = "cuDeviceGetAttribute" (*mut c_int, c_int, c_int);
    context_flags = "cuDevicePrimaryCtxSetFlags_v2" (c_int, c_uint);
    context_retain = "cuDevicePrimaryCtxRetain" (*mut Handle, c_int);
    context_release = "cuDevicePrimaryCtxRelease_v2" (c_int);
    context_set = "cuCtxSetCurrent" (Handle);
    stream_create = "cuStreamCreate" (*mut Handle, c_uint);
    stream_destroy = "cuStreamDestroy_v2" (Handle);
    stream_wait = "cuStreamSynchronize" (Handle);
    allocate = "cuMemAlloc_v2" (*mut u64, usize);
    free = "cuMemFree_v2" (u64);
    upload = "cuMemcpyHtoDAsync_v2" (u64, *const c_void, usize, Handle);
    download = "cuMemcpyDtoHAsync_v2" (*mut c_void, u64, usize, Handle);
    module_load = "cuModuleLoadData" (*mut Handle, *const c_void);
    module_unload = "cuModuleUnload" (Handle);
    function = "cuModuleGetFunction" (*mut Handle, Handle, *const c_char);
    set_function_attribute = "cuFuncSetAttribute" (Handle, c_int, c_int);
    launch = "cuLaunchKernel" (
        Handle, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, Handle, *mut *mut c_void,
        *mut *mut c_void
    );
}

impl Driver {
    /// Loads the driver and starts it.
    pub(super) fn start(library: &Path) -> Result<Self> {
        let path = CString::new(library.as_os_str().as_encoded_bytes())
            .context("the driver's path holds a zero")?;
        // SAFETY: a string that ends with 0. The driver's initialisers run, as in every program for CUDA.
        let loaded = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        if loaded.is_null() {
            return Err(anyhow::Error::new(NoDriver));
        }
        let driver = Self::find(loaded)?;
        // SAFETY: no memory is passed.
        match unsafe { (driver.init)(0) } {
            0 => {}
            NO_DEVICE => bail!("the NVIDIA driver finds no GPU: see what `nvidia-smi` says"),
            error => return Err(driver.error("cannot start the NVIDIA driver", error)),
        }
        let mut version = 0;
        // SAFETY: a number is written.
        let status = unsafe { (driver.version)(&mut version) };
        driver.checked("ask for the driver's version", status)?;
        ensure!(
            version >= CUDA,
            "the NVIDIA driver is one of CUDA {}.{}: {DRIVER_NEEDED}",
            version / 1000,
            version % 1000 / 10
        );
        Ok(driver)
    }

    /// An error with what the driver says of it.
    pub(super) fn checked(&self, what: &str, status: Status) -> Result<()> {
        match status {
            0 => Ok(()),
            OUT_OF_MEMORY => Err(anyhow::Error::new(NoRoom)),
            error => Err(self.error(&format!("the GPU cannot {what}"), error)),
        }
    }

    fn error(&self, what: &str, error: Status) -> anyhow::Error {
        let mut text = std::ptr::null();
        // SAFETY: the driver writes the address of a constant string, or nothing.
        let said = unsafe { (self.error_text)(error, &mut text) } == 0 && !text.is_null();
        // SAFETY: a constant string, as it just said.
        let text = if said { unsafe { CStr::from_ptr(text) }.to_string_lossy() } else { "".into() };
        anyhow!("{what}: {text} (CUDA error {error})")
    }
}

fn symbol(library: Handle, name: &str) -> Result<Handle> {
    let c_name = CString::new(name)?;
    // SAFETY: a library that is loaded, and a string that ends with 0.
    let found = unsafe { libc::dlsym(library, c_name.as_ptr()) };
    ensure!(!found.is_null(), "the NVIDIA driver has no `{name}`: {DRIVER_NEEDED}");
    Ok(found)
}
