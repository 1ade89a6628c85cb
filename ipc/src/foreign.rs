//! Memory that another library has mapped, as words.
//!
//! A segment is a plain file, and any library for shared memory can map it; what such a library hands
//! out is an address. This makes something of it that can be read and written while others do so. It is
//! here because nothing outside this crate may (feature `foreign`).

use shared_memory::Shmem;
use std::{slice, sync::atomic::AtomicU64};

/// The whole 64-bit words of a mapping, in order.
#[must_use]
pub fn words(mapping: &Shmem) -> &[AtomicU64] {
    let count = mapping.len() / size_of::<AtomicU64>();
    // SAFETY: the mapping begins at a page, can be read and written for that many bytes, and stays as
    // long as the borrow. Whoever else sees it as anything but atomics has promised, in an `unsafe` block
    // of his own, that nobody writes it meanwhile.
    unsafe { slice::from_raw_parts(mapping.as_ptr().cast(), count) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared_memory::ShmemConf;
    use std::sync::atomic::Ordering::{Acquire, Release};

    #[test]
    fn two_mappings_share_their_words() {
        let one = ShmemConf::new().size(4096).create().unwrap();
        let other = ShmemConf::new().os_id(one.get_os_id()).open().unwrap();
        assert_eq!(words(&one).len(), 512);
        words(&one)[511].store(7, Release);
        assert_eq!(words(&other)[511].load(Acquire), 7);
    }
}
