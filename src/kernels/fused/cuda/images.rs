//! The kernels, compiled for each architecture by `build.rs` with NVRTC, and packed.

use anyhow::{Context, Result, bail, ensure};
use std::io::Read;

// `CUBINS: &[(u32, &[u8])]`, the architecture (80 for sm_80) with its kernels, and `PTX: (u32, &[u8])`, from which a
// driver makes those of later architectures. Both are empty where the build found no NVRTC.
include!(concat!(env!("OUT_DIR"), "/cuda_kernels.rs"));

/// Where kernels come from.
pub(super) enum Images {
    /// What the build made.
    Built,
    /// Those of the emulated GPU, which has them itself.
    Emulated,
}

/// Whether this build has kernels.
///
/// # Errors
/// Says what the build lacked.
pub(super) fn are_built() -> Result<(), String> {
    match CUBINS.is_empty() {
        false => Ok(()),
        true => Err("has no CUDA kernels in this build, which found no NVRTC (libnvrtc.so.13); \
                     docs/gpu.md says how to build it with them"
            .to_owned()),
    }
}

impl Images {
    /// The kernels for a device of this compute capability.
    pub(super) fn of(&self, (major, minor): (i32, i32), name: &str) -> Result<Vec<u8>> {
        ensure!(
            major >= 8,
            "the GPU `{name}` is of sm_{major}{minor}, and the engine `fused` needs sm_80 or later: \
             use the engine `libtorch` there"
        );
        if matches!(self, Self::Emulated) {
            return Ok(b"the emulated GPU knows its kernels\0".to_vec());
        }
        if let Err(reason) = are_built() {
            bail!("the engine `fused` {reason}");
        }
        let wanted = (major * 10 + minor) as u32;
        // Kernels run on later devices of the same major architecture.
        let fitting = |arch: &u32| arch / 10 == wanted / 10 && *arch <= wanted;
        let (_, best) = CUBINS.iter().rfind(|(arch, _)| fitting(arch)).unwrap_or(&PTX);
        unpacked(best)
    }
}

fn unpacked(program: &[u8]) -> Result<Vec<u8>> {
    let mut found = Vec::new();
    let mut reader = flate2::read::ZlibDecoder::new(program);
    reader.read_to_end(&mut found).context("the program's CUDA kernels are damaged")?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What NVRTC said of each kernel, architecture by architecture.
    const LOG: &str = include_str!(concat!(env!("OUT_DIR"), "/cuda_kernels.log"));

    #[test]
    #[cfg_attr(lacks_nvrtc, ignore = "NOT TESTED: this build found no NVRTC")]
    fn no_kernel_spills_registers_on_any_architecture() {
        let (mut kernel, mut seen) = ("", 0);
        for line in LOG.lines() {
            if let Some(name) = line.split("Function properties for ").nth(1) {
                kernel = name;
            }
            if line.contains("bytes stack frame") {
                let none = "0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads";
                assert!(line.trim_start().ends_with(none), "{kernel}: {line}");
                seen += 1;
            }
        }
        let kernels = LOG.lines().filter(|line| line.contains("Compiling entry function")).count();
        assert_eq!(seen, kernels);
        assert!(seen >= 30 * CUBINS.len(), "{seen} kernels");
    }

    /// Sums and products that the compiler may contract, and approximations, would change bits.
    #[test]
    #[cfg_attr(lacks_nvrtc, ignore = "NOT TESTED: this build found no NVRTC")]
    fn the_instructions_are_those_of_ieee_754() {
        let ptx = String::from_utf8(unpacked(PTX.1).unwrap()).unwrap();
        let mut counted = 0;
        for line in ptx.lines().map(str::trim) {
            let name = line.split_ascii_whitespace().next().unwrap_or_default();
            let parts: Vec<&str> = name.split('.').collect();
            let is_float = parts.iter().any(|part| matches!(*part, "f32" | "f64"));
            if !is_float {
                continue;
            }
            assert!(!parts.contains(&"ftz") && !parts.contains(&"approx"), "{line}");
            if matches!(parts[0], "add" | "sub" | "mul" | "mad" | "fma" | "div" | "sqrt" | "rcp") {
                assert!(parts.contains(&"rn"), "{line}");
                counted += 1;
            }
        }
        assert!(counted > 1_000, "{counted} instructions");
    }

    #[test]
    #[cfg_attr(lacks_nvrtc, ignore = "NOT TESTED: this build found no NVRTC")]
    fn each_device_gets_the_kernels_of_its_architecture() {
        let of = |capability| Images::Built.of(capability, "GPU").unwrap();
        let built = |arch| unpacked(CUBINS.iter().find(|(each, _)| *each == arch).unwrap().1);
        for (capability, arch) in
            [((8, 0), 80), ((8, 7), 86), ((8, 9), 89), ((9, 0), 90), ((10, 3), 100)]
        {
            assert_eq!(of(capability), built(arch).unwrap(), "{capability:?}");
        }
        assert_eq!(of((11, 0)), unpacked(PTX.1).unwrap());
        assert!(Images::Built.of((7, 5), "T4").unwrap_err().to_string().contains("sm_75"));
    }
}
