//! Safe names for the C++ shim: what this program needs of libtorch and `tch` does not bind.

use anyhow::{Result, bail};
use std::ffi::{CStr, c_char, c_int, c_void};
use tch::Tensor;

type Handle = *mut c_void;

unsafe extern "C" {
    fn batchscope_libtorch_version() -> *const c_char;
    fn batchscope_free(message: *mut c_char);
    fn batchscope_load_cuda() -> *mut c_char;
    fn batchscope_keep_memory();
    fn batchscope_trim_memory();
    fn batchscope_set_exact() -> *mut c_char;
    fn batchscope_flush_subnormals(on: bool);
    fn batchscope_fused_adam(
        parameters: *const Handle,
        gradients: *const Handle,
        first_moments: *const Handle,
        second_moments: *const Handle,
        step: Handle,
        count: i64,
        lr: f64,
        beta1: f64,
        beta2: f64,
        epsilon: f64,
        weight_decay: f64,
    ) -> *mut c_char;
    fn batchscope_cuda_empty_cache() -> *mut c_char;
    fn batchscope_cuda_peak(index: c_int, reset: bool, bytes: *mut i64) -> *mut c_char;
    fn batchscope_cuda_describe(
        index: c_int,
        name: *mut c_char,
        capacity: c_int,
        bytes: *mut u64,
    ) -> *mut c_char;
}

/// The first line of the shim's answer; `None` where all went well.
fn complaint(message: *mut c_char) -> Option<String> {
    if message.is_null() {
        return None;
    }
    // SAFETY: a non-null answer is a NUL-terminated string that the shim allocated for us.
    let text = unsafe { CStr::from_ptr(message) }.to_string_lossy().into_owned();
    // SAFETY: it came from the shim, is not used again, and is freed once.
    unsafe { batchscope_free(message) };
    Some(text.lines().next().unwrap_or_default().to_owned())
}

/// Turns the shim's answer into a `Result`.
fn checked(message: *mut c_char) -> Result<()> {
    match complaint(message) {
        None => Ok(()),
        Some(text) => bail!("libtorch: {text}"),
    }
}

/// The version of libtorch that this program was built against.
pub(super) fn libtorch_version() -> String {
    // SAFETY: the shim returns a NUL-terminated literal.
    unsafe { CStr::from_ptr(batchscope_libtorch_version()) }.to_string_lossy().into_owned()
}

/// Makes CUDA visible where there is a driver; why it cannot be used then, if it cannot.
pub(super) fn load_cuda() -> Option<String> {
    // SAFETY: no arguments; loading a library twice is harmless.
    complaint(unsafe { batchscope_load_cuda() })
}

/// Keeps freed memory for the next step.
pub(super) fn keep_memory() {
    // SAFETY: no arguments; glibc allows it at any time.
    unsafe { batchscope_keep_memory() }
}

/// Gives freed memory back to the system.
pub(super) fn trim_memory() {
    // SAFETY: no arguments; glibc allows it at any time.
    unsafe { batchscope_trim_memory() }
}

/// Deterministic cuDNN, no autotuning, no TF32, for the whole process.
pub(super) fn set_exact() -> Result<()> {
    // SAFETY: no arguments; sets flags of libtorch's global context.
    checked(unsafe { batchscope_set_exact() })
}

/// While it lives, subnormal numbers count as zero in this thread; only libtorch works meanwhile.
pub(super) struct SubnormalsFlushed;

impl SubnormalsFlushed {
    pub(super) fn enter() -> Self {
        // SAFETY: sets two bits of this thread's floating-point control register, which `drop`
        // clears again; between the two, this program's own code does no arithmetic whose result
        // could be subnormal.
        unsafe { batchscope_flush_subnormals(true) };
        Self
    }
}

impl Drop for SubnormalsFlushed {
    fn drop(&mut self) {
        // SAFETY: restores the state in which Rust code expects the register.
        unsafe { batchscope_flush_subnormals(false) };
    }
}

/// Adam's coefficients for one update.
pub(super) struct Coefficients {
    pub(super) lr: f64,
    pub(super) beta1: f64,
    pub(super) beta2: f64,
    pub(super) epsilon: f64,
    /// Decoupled from the gradient, as in AdamW.
    pub(super) weight_decay: f64,
}

/// One Adam update in place. All four lists go together, tensor by tensor; `step` holds one f32.
pub(super) fn fused_adam(
    parameters: &[Tensor],
    gradients: &[Tensor],
    first_moments: &[Tensor],
    second_moments: &[Tensor],
    step: &Tensor,
    by: &Coefficients,
) -> Result<()> {
    let count = parameters.len();
    assert!([gradients, first_moments, second_moments].iter().all(|list| list.len() == count));
    let handles = |list: &[Tensor]| -> Vec<Handle> { list.iter().map(handle).collect() };
    let lists = [parameters, gradients, first_moments, second_moments].map(handles);
    // SAFETY: each list holds `count` pointers to tensors that are borrowed for the whole call; the
    // shim copies the handles and keeps none. The update in place is libtorch's interior
    // mutability, as in every `tch` method that ends in an underscore.
    checked(unsafe {
        batchscope_fused_adam(
            lists[0].as_ptr(),
            lists[1].as_ptr(),
            lists[2].as_ptr(),
            lists[3].as_ptr(),
            handle(step),
            count as i64,
            by.lr,
            by.beta1,
            by.beta2,
            by.epsilon,
            by.weight_decay,
        )
    })
}

fn handle(tensor: &Tensor) -> Handle {
    tensor.as_ptr().cast_mut().cast()
}

/// The most bytes that tensors held on a GPU since the last reset.
pub(super) fn cuda_peak(index: usize, reset: bool) -> Result<u64> {
    let mut bytes = 0;
    // SAFETY: `bytes` outlives the call.
    checked(unsafe { batchscope_cuda_peak(index as c_int, reset, &mut bytes) })?;
    Ok(bytes as u64)
}

/// Gives memory that libtorch keeps for later back to the GPUs.
pub(super) fn cuda_empty_cache() -> Result<()> {
    // SAFETY: no arguments; only memory that no tensor holds is given back.
    checked(unsafe { batchscope_cuda_empty_cache() })
}

/// The name of a GPU and its memory in bytes.
pub(super) fn cuda_describe(index: usize) -> Result<(String, u64)> {
    let mut name = [0u8; 256];
    let mut bytes = 0;
    // SAFETY: the driver writes at most 256 bytes, NUL included, into `name`, which outlives the
    // call.
    checked(unsafe {
        batchscope_cuda_describe(index as c_int, name.as_mut_ptr().cast(), 256, &mut bytes)
    })?;
    Ok((CStr::from_bytes_until_nul(&name)?.to_string_lossy().into_owned(), bytes))
}
