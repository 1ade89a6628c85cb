//! What would starve a core: a real-time loop gives way to nobody that has less, so it must sleep or be alone.

use crate::{Pipeline, Wait};

impl Pipeline {
    /// Every process whose real-time priority would starve others, in words. Once more when the launcher has decided who
    /// waits how and where: a core that is not to be had leaves a loop among others.
    #[must_use]
    pub fn real_time_faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for process in &self.processes {
            let Some(priority) = process.priority else {
                continue;
            };
            let name = &process.name;
            if !process.hot {
                faults.push(format!(
                    "process `{name}`: priority = \"{priority}\" is for the loops of hot processes; leave it out"
                ));
            } else if matches!(self.wait, Wait::Spin | Wait::Yield) && process.core.is_none() {
                faults.push(format!(
                    "process `{name}`: spinning at priority \"{priority}\" without a core of its own, it would starve whatever shares one with it; give it a `core` that nobody has, or wait = \"sleep\", or leave `priority` out"
                ));
            } else if self.wait != Wait::Sleep && process.cpu().is_some() {
                let others = self.processes.iter();
                let beside = others
                    .filter(|other| other.name != *name && other.cpu() == process.cpu())
                    .map(|other| format!("`{}`", other.name));
                let beside: Vec<String> = beside.collect();
                if !beside.is_empty() {
                    faults.push(format!(
                        "process `{name}`: spinning at priority \"{priority}\" it would starve {} on the same core; give one of them another, or wait = \"sleep\"",
                        beside.join(", ")
                    ));
                }
            }
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::faults_after;
    use crate::{Core, Pipeline, Wait};

    fn with_priority(change: impl FnOnce(&mut Pipeline)) -> String {
        faults_after(|pipeline| {
            pipeline.processes[0].priority = Some("fifo:50".parse().unwrap());
            change(pipeline);
        })
    }

    #[test]
    fn a_real_time_loop_that_sleeps_or_has_its_core_is_no_fault() {
        assert_eq!(with_priority(|_| {}), "");
        for wait in [Wait::Spin, Wait::Auto] {
            let alone = with_priority(|pipeline| {
                pipeline.wait = wait;
                pipeline.processes[0].core = Some(Core::Number(1));
            });
            assert_eq!(alone, "");
        }
        let asleep = with_priority(|pipeline| {
            pipeline.wait = Wait::Sleep;
            pipeline.processes[0].core = Some(Core::Number(1));
            pipeline.processes[1].core = Some(Core::Number(1));
        });
        assert_eq!(asleep, "");
    }

    #[test]
    fn spinning_in_real_time_where_others_run_is_a_fault() {
        // To give way to its equals is not to give way to what has less.
        for wait in [Wait::Spin, Wait::Yield] {
            let nowhere = with_priority(|pipeline| {
                pipeline.wait = wait;
                pipeline.processes[0].core = None;
            });
            assert!(nowhere.contains("without a core of its own"), "{nowhere}");
        }
        for wait in [Wait::Spin, Wait::Auto] {
            let beside = with_priority(|pipeline| {
                pipeline.wait = wait;
                pipeline.processes[0].core = Some(Core::Number(1));
                pipeline.processes[1].core = Some(Core::Number(1));
            });
            assert!(beside.contains("would starve `orchestrator`"), "{beside}");
        }
    }

    #[test]
    fn only_hot_loops_have_a_priority() {
        let cold = with_priority(|pipeline| {
            pipeline.processes[1].priority = pipeline.processes[0].priority.take();
        });
        assert!(cold.contains("loops of hot processes"), "{cold}");
    }
}
