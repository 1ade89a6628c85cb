//! The Aeron media driver, a process of its own, and the client through which a process reaches it.

use crate::{Failure, cores, link::Link};
use rusteron_client::{Aeron, AeronContext};
use rusteron_media_driver::{
    AeronCError, AeronDriver, AeronDriverContext, AeronIdleStrategyKind,
    bindings::aeron_threading_mode_enum::{
        AERON_THREADING_MODE_DEDICATED, AERON_THREADING_MODE_SHARED,
    },
};
use std::{
    cell::OnceCell,
    ffi::{CString, NulError},
    os::unix::ffi::OsStrExt as _,
    path::Path,
};

/// A log is three terms of so many bytes. A writer may be half a term ahead of what the driver has seen
/// read: 43,690 messages with their heads, a window of any stream here that all transports take part in.
const TERM: &str = "8m";

/// The life of the driver: until it is killed. With cores of its own, its conductor spins.
///
/// # Errors
///
/// When it does not start, or fails.
pub fn drive(directory: &Path, alone: bool) -> Result<(), Failure> {
    let context = AeronDriverContext::new()?;
    context.set_dir(&path(directory)?)?;
    context.set_dir_delete_on_start(true)?;
    // The memory is there before it is needed.
    context.set_term_buffer_sparse_file(false)?;
    if alone {
        context.set_threading_mode(AERON_THREADING_MODE_DEDICATED)?;
        context.set_conductor_idle_strategy_kind(AeronIdleStrategyKind::BusySpin)?;
    } else {
        context.set_threading_mode(AERON_THREADING_MODE_SHARED)?;
        context.set_shared_idle_strategy_kind(AeronIdleStrategyKind::Backoff)?;
    }
    let driver = AeronDriver::new(&context).map_err(AeronCError::capture_errmsg)?;
    driver.start(true).map_err(AeronCError::capture_errmsg)?;
    loop {
        let work = driver.main_do_work();
        driver.main_idle_strategy(work.map_err(AeronCError::capture_errmsg)?);
    }
}

/// Where both ends of a link meet: the stream has the number at the end of the link's name.
///
/// # Errors
///
/// When there is none.
pub(super) fn address(link: &Link) -> Result<(CString, i32), Failure> {
    let number = link.name.rsplit('-').next().unwrap_or_default();
    let channel = CString::new(format!("aeron:ipc?term-length={TERM}"))?;
    Ok((channel, number.parse::<i32>()? + 1))
}

thread_local! {
    static CLIENT: OnceCell<Aeron> = const { OnceCell::new() };
}

/// The one of this process, all ends of which are opened by one thread.
///
/// # Errors
///
/// When there is no driver.
pub(super) fn client(link: &Link) -> Result<Aeron, Failure> {
    CLIENT.with(|known| {
        if let Some(client) = known.get() {
            return Ok(client.clone());
        }
        let directory = link.servers.aeron.as_deref();
        let context = AeronContext::new()?;
        context.set_dir(&path(directory.ok_or("the media driver did not start")?)?)?;
        context.set_pre_touch_mapped_memory(true)?;
        context.set_error_handler(Some(|_: i32, what: &str| eprintln!("error: aeron: {what}")))?;
        let client = Aeron::new(&context)?;
        cores::everywhere(|| client.start())??;
        Ok(known.get_or_init(|| client).clone())
    })
}

fn path(path: &Path) -> Result<CString, NulError> {
    CString::new(path.as_os_str().as_bytes())
}
