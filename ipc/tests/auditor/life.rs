//! Processes of a test: started, stopped, killed, and never outliving it.

use super::Result;
use nix::{
    sys::{
        prctl,
        signal::Signal,
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use std::process::{Child, Command, ExitStatus};

/// A process that is killed when it is forgotten.
pub(crate) struct Life(Child);

impl Life {
    pub(crate) fn start(mut program: Command) -> Result<Self> {
        Ok(Self(program.spawn()?))
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.0.id())?);
        Ok(nix::sys::signal::kill(pid, signal)?)
    }

    /// Stops it, and waits until it stands still.
    pub(crate) fn stop(&self) -> Result<()> {
        self.signal(Signal::SIGSTOP)?;
        let pid = Pid::from_raw(i32::try_from(self.0.id())?);
        match waitpid(pid, Some(WaitPidFlag::WUNTRACED))? {
            WaitStatus::Stopped(..) => Ok(()),
            other => Err(format!("it was to be stopped, but: {other:?}").into()),
        }
    }

    /// Kills it, stopped or not.
    ///
    /// # Errors
    ///
    /// When it had ended before.
    pub(crate) fn kill(mut self) -> Result<()> {
        if let Some(status) = self.0.try_wait()? {
            return Err(format!("it had ended by itself before it was killed: {status}").into());
        }
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    /// How it has ended by itself, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.0.try_wait()?)
    }

    /// Waits for its own end.
    pub(crate) fn end(mut self) -> Result<ExitStatus> {
        Ok(self.0.wait()?)
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// This program, in a group of its own, so that Ctrl-C reaches only the test.
pub(crate) fn own() -> Result<Command> {
    use std::os::unix::process::CommandExt;
    let mut program = Command::new(std::env::current_exe()?);
    program.process_group(0);
    Ok(program)
}

/// Sees to it that this process does not outlive its parent, however that ends.
pub(crate) fn stay_with(parent: &str) -> Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    if nix::unistd::getppid().as_raw().to_string() == parent {
        Ok(())
    } else {
        Err("the test is gone".into())
    }
}
