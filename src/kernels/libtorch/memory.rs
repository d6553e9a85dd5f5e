//! What libraries, and Rust itself, say when memory does not suffice.

/// Whether libtorch, CUDA, cuDNN or oneDNN complain of memory.
pub(super) fn is_out_of_memory(error: &anyhow::Error) -> bool {
    is_about_memory(&format!("{error:#}"))
}

/// Whether this message is about want of memory.
pub fn is_about_memory(message: &str) -> bool {
    let complaints = [
        "out of memory",
        "out_of_memory",
        "can't allocate memory",
        "memory allocation of ",
        "bad_alloc",
        "CUDNN_STATUS_ALLOC_FAILED",
        "could not create a memory object",
    ];
    // oneDNN makes its code for a shape that it knows, and finds no room for it. What it cannot compute
    // at all fails earlier, at the primitive descriptor.
    let no_room = message
        .match_indices("could not create a primitive")
        .any(|(at, found)| !message[at + found.len()..].starts_with(" descriptor"));
    no_room || complaints.iter().any(|complaint| message.contains(complaint))
}

#[cfg(test)]
mod tests {
    use super::is_about_memory;

    #[test]
    fn want_of_memory_is_told_from_what_cannot_be_computed() {
        for message in [
            "Internal torch error: could not create a primitive",
            "could not create a primitive: out_of_memory",
            "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes",
            "std::bad_alloc",
            "memory allocation of 200000000 bytes failed",
        ] {
            assert!(is_about_memory(message), "{message}");
        }
        let unknown = "could not create a primitive descriptor for an LSTM forward propagation";
        assert!(!is_about_memory(unknown));
        assert!(!is_about_memory("the size of tensor a (3) must match the size of tensor b (4)"));
    }
}
