//! One GPU: its memory, and the kernels that were compiled for it.

use super::driver::{Driver, Handle};
use super::images::Images;
use super::step::{Address, StepArguments};
use crate::kernels::CudaDevice;
use anyhow::{Result, ensure};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ffi::{CStr, CString, c_int, c_void};
use std::path::Path;
use std::ptr::{from_ref, null_mut};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a kernel may use of shared memory before more is asked for.
const SHARED_UNASKED: usize = 48 << 10;

/// Engines of this process that are on GPUs.
static ENGINES: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Bytes that this thread's engines hold on GPUs, and the most since one was last made. Engines stay on
    /// their thread, so those of other threads are not counted.
    static HELD: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

/// The most memory in bytes that this thread's engines held on GPUs since one was last made; `None`
/// without any.
pub(in crate::kernels) fn peak_memory() -> Option<u64> {
    let peak = PEAK.get();
    (peak > 0).then_some(peak as u64)
}

/// The numbers of cuda.h.
const MULTIPROCESSORS: c_int = 16;
const CAPABILITY_MAJOR: c_int = 75;
const CAPABILITY_MINOR: c_int = 76;
const SHARED_A_BLOCK: c_int = 97;
const STREAM_NON_BLOCKING: u32 = 1;
const WAITING_SLEEPS: u32 = 4;
const FUNCTION_SHARED: c_int = 8;

/// How many blocks, in three directions.
pub(super) type Grid = [usize; 3];

/// A kernel that was found, and the shared memory that it was allowed.
struct Kernel {
    function: Handle,
    shared: usize,
}

/// A GPU with the engine's kernels.
pub(super) struct Gpu {
    driver: Driver,
    device: c_int,
    context: Handle,
    stream: Handle,
    module: Handle,
    kernels: RefCell<BTreeMap<&'static str, Kernel>>,
    /// The most shared memory that a block may have.
    pub(super) shared: usize,
    multiprocessors: usize,
}

impl Gpu {
    /// Opens a GPU by its number, and loads the kernels.
    pub(super) fn open(library: &Path, index: usize, images: &Images) -> Result<Rc<Self>> {
        let driver = Driver::start(library)?;
        let (mut count, mut device) = (0, 0);
        // SAFETY: the driver writes to the variables that are passed.
        driver.checked("count devices", unsafe { (driver.device_count)(&mut count) })?;
        ensure!(
            index < count as usize,
            "there is no GPU {index}: the driver counts {count}, from 0 on"
        );
        // SAFETY: as above.
        driver.checked("be opened", unsafe { (driver.device)(&mut device, index as c_int) })?;
        let attribute = |which| attribute(&driver, device, which);
        let capability = (attribute(CAPABILITY_MAJOR)?, attribute(CAPABILITY_MINOR)?);
        let image = images.of(capability, &name(&driver, device)?)?;
        let shared = attribute(SHARED_A_BLOCK)? as usize;
        let multiprocessors = attribute(MULTIPROCESSORS)? as usize;
        let mut gpu = Self {
            driver,
            device,
            context: null_mut(),
            stream: null_mut(),
            module: null_mut(),
            kernels: RefCell::default(),
            shared,
            multiprocessors,
        };
        ENGINES.fetch_add(1, Ordering::Relaxed);
        // Threads that wait would else keep the processor from those that prepare steps.
        // SAFETY: as above.
        let status = unsafe { (driver.context_flags)(device, WAITING_SLEEPS) };
        driver.checked("be started", status)?;
        // SAFETY: as above; the context is given back when `gpu` is dropped.
        let status = unsafe { (driver.context_retain)(&mut gpu.context, device) };
        driver.checked("be started", status)?;
        gpu.enter()?;
        // SAFETY: as above.
        let status = unsafe { (driver.stream_create)(&mut gpu.stream, STREAM_NON_BLOCKING) };
        driver.checked("be started", status)?;
        // SAFETY: as above; an image holds its own size.
        let status = unsafe { (driver.module_load)(&mut gpu.module, image.as_ptr().cast()) };
        driver.checked("load the engine's kernels", status)?;
        PEAK.set(HELD.get());
        Ok(Rc::new(gpu))
    }

    /// Whether there are at most `each` blocks a multiprocessor when every engine that shares the GPU launches
    /// `blocks`: then smaller blocks end sooner. No result depends on the answer.
    pub(super) fn has_room_for(&self, blocks: usize, each: usize) -> bool {
        blocks * ENGINES.load(Ordering::Relaxed) <= each * self.multiprocessors
    }

    /// Makes it this thread's.
    fn enter(&self) -> Result<()> {
        // SAFETY: the context is held until `self` is dropped.
        let status = unsafe { (self.driver.context_set)(self.context) };
        self.driver.checked("be used", status)
    }

    /// Memory of so many bytes, at least one.
    pub(super) fn allocate(self: &Rc<Self>, bytes: usize) -> Result<Buffer> {
        self.enter()?;
        let mut address = 0;
        // SAFETY: an address is written.
        let status = unsafe { (self.driver.allocate)(&mut address, bytes.max(1)) };
        self.driver.checked("give memory", status)?;
        HELD.set(HELD.get() + bytes);
        PEAK.set(PEAK.get().max(HELD.get()));
        Ok(Buffer { gpu: Rc::clone(self), address, bytes })
    }

    /// Launches a kernel; nothing where there are no blocks.
    pub(super) fn launch(
        &self,
        name: &'static str,
        grid: Grid,
        threads: usize,
        shared: usize,
        step: &StepArguments,
    ) -> Result<()> {
        if grid.contains(&0) {
            return Ok(());
        }
        ensure!(
            shared <= self.shared,
            "the kernel `{name}` needs {shared} bytes of shared memory, and this GPU has {} a block",
            self.shared
        );
        self.enter()?;
        let function = self.kernel(name, shared)?;
        let [x, y, z] = grid.map(|size| u32::try_from(size).unwrap_or(u32::MAX));
        let mut arguments = [from_ref(step).cast_mut().cast::<c_void>()];
        // SAFETY: each kernel takes one `Step`, which is copied before the call returns. What its addresses
        // name are buffers as large as the step's sizes say.
        let status = unsafe {
            (self.driver.launch)(
                function,
                x,
                y,
                z,
                threads as u32,
                1,
                1,
                shared as u32,
                self.stream,
                arguments.as_mut_ptr(),
                null_mut(),
            )
        };
        self.driver.checked(&format!("run the kernel `{name}`"), status)
    }

    /// A kernel by its name, with so much shared memory.
    fn kernel(&self, name: &'static str, shared: usize) -> Result<Handle> {
        let mut kernels = self.kernels.borrow_mut();
        let kernel = match kernels.entry(name) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let (c_name, mut function) = (CString::new(name)?, null_mut());
                // SAFETY: a module that is loaded, and a string that ends with 0.
                let status =
                    unsafe { (self.driver.function)(&mut function, self.module, c_name.as_ptr()) };
                self.driver.checked(&format!("find the kernel `{name}`"), status)?;
                place.insert(Kernel { function, shared: SHARED_UNASKED })
            }
        };
        if shared > kernel.shared {
            // SAFETY: a function of a module that is loaded.
            let status = unsafe {
                (self.driver.set_function_attribute)(
                    kernel.function,
                    FUNCTION_SHARED,
                    shared as c_int,
                )
            };
            self.driver.checked(&format!("give shared memory to `{name}`"), status)?;
            kernel.shared = shared;
        }
        Ok(kernel.function)
    }

    /// Waits for everything that was asked of it.
    fn wait(&self) -> Result<()> {
        self.enter()?;
        // SAFETY: the stream lives as long as `self`.
        let status = unsafe { (self.driver.stream_wait)(self.stream) };
        self.driver.checked("finish its work", status)
    }
}

impl Drop for Gpu {
    fn drop(&mut self) {
        ENGINES.fetch_sub(1, Ordering::Relaxed);
        // Nothing can be done about an error here.
        // SAFETY: all of these were made by `open`, or are null and were never made.
        unsafe {
            (self.driver.context_set)(self.context);
            if !self.module.is_null() {
                (self.driver.module_unload)(self.module);
            }
            if !self.stream.is_null() {
                (self.driver.stream_destroy)(self.stream);
            }
            if !self.context.is_null() {
                (self.driver.context_release)(self.device);
            }
        }
    }
}

/// The GPUs that a driver has.
pub(super) fn list(library: &Path) -> Result<Vec<CudaDevice>> {
    let driver = Driver::start(library)?;
    let mut count = 0;
    // SAFETY: the driver writes to the variables that are passed.
    driver.checked("count devices", unsafe { (driver.device_count)(&mut count) })?;
    let describe = |index| -> Result<CudaDevice> {
        let (mut device, mut memory) = (0, 0);
        // SAFETY: as above.
        driver.checked("be opened", unsafe { (driver.device)(&mut device, index) })?;
        // SAFETY: as above.
        let status = unsafe { (driver.device_memory)(&mut memory, device) };
        driver.checked("be described", status)?;
        let [major, minor] =
            [CAPABILITY_MAJOR, CAPABILITY_MINOR].map(|which| attribute(&driver, device, which));
        Ok(CudaDevice {
            index: index as usize,
            name: name(&driver, device)?,
            memory: memory as u64,
            architecture: Some((major? * 10 + minor?) as u32),
        })
    };
    (0..count).map(describe).collect()
}

/// A property of a device, by its number in cuda.h.
fn attribute(driver: &Driver, device: c_int, which: c_int) -> Result<c_int> {
    let mut value = 0;
    // SAFETY: the driver writes to the variable that is passed.
    let status = unsafe { (driver.device_attribute)(&mut value, which, device) };
    driver.checked("be described", status)?;
    Ok(value)
}

/// The name of a device.
fn name(driver: &Driver, device: c_int) -> Result<String> {
    let mut name = [0; 128];
    // SAFETY: so many characters may be written, the last of them 0.
    let status = unsafe { (driver.device_name)(name.as_mut_ptr(), name.len() as c_int, device) };
    driver.checked("be named", status)?;
    // SAFETY: the driver ended it with 0.
    Ok(unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy().into_owned())
}

/// Memory of a GPU.
pub(super) struct Buffer {
    gpu: Rc<Gpu>,
    address: Address,
    bytes: usize,
}

impl Buffer {
    /// Where it lies.
    pub(super) fn address(&self) -> Address {
        self.address
    }

    /// Its size.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Copies values to its beginning.
    pub(super) fn upload<T: bytemuck::NoUninit>(&self, values: &[T]) -> Result<()> {
        let bytes: &[u8] = bytemuck::cast_slice(values);
        assert!(bytes.len() <= self.bytes);
        self.gpu.enter()?;
        let driver = &self.gpu.driver;
        // SAFETY: the lengths were compared. Memory that is not pinned is copied before the call returns.
        let status = unsafe {
            (driver.upload)(self.address, bytes.as_ptr().cast(), bytes.len(), self.gpu.stream)
        };
        driver.checked("take data", status)
    }

    /// The first values, when everything that was asked before is done.
    pub(super) fn download<T: bytemuck::Pod>(&self, count: usize) -> Result<Vec<T>> {
        let mut values = vec![T::zeroed(); count];
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut values);
        assert!(bytes.len() <= self.bytes);
        self.gpu.enter()?;
        let driver = &self.gpu.driver;
        // SAFETY: the lengths were compared, and the copy is waited for.
        let status = unsafe {
            (driver.download)(bytes.as_mut_ptr().cast(), self.address, bytes.len(), self.gpu.stream)
        };
        driver.checked("give data", status)?;
        self.gpu.wait()?;
        Ok(values)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        HELD.set(HELD.get() - self.bytes);
        // SAFETY: made by `allocate`. The driver waits for what uses it. Nothing can be done about an error.
        unsafe {
            (self.gpu.driver.context_set)(self.gpu.context);
            (self.gpu.driver.free)(self.address);
        }
    }
}
