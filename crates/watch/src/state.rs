//! What an event makes of a container, and what there is to tell: a pure step.
//!
//! A step takes the container as it was last written, one event and what the runtime was asked for
//! it; it gives the container as it is to be written and the notices that go with it. Nothing is
//! remembered here, so a step whose writing failed is simply done again.
//!
//! Created → Running → (Paused) → Exited → Deleted; of Unknown only the end can follow. The end is
//! written once for each start. Events come in order for a container, but what is listed or looked
//! up is newer than events that still wait; those are recognised by their times and processes.
//!
//! Surprising: an exit with 137 that no kill for memory explains is not told at once. The kernel's
//! kill is told by another way than the exit and may come later, and `Error` first and `OOMKilled`
//! then would be two ends. After [`SETTLE_AFTER`], or as soon as something else happens to the
//! container, it is told as it is; a kill up to [`AMEND_WITHIN`] later amends it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use pratique_containerd::{Task, TaskStatus, UNKNOWN_EXIT_STATUS};
use pratique_model::{
    Container, ContainerKind, ContainerState, ExitReason, Notice, NoticeKind, NoticeSource,
};

use crate::event::{Event, What, Witness, whole};
use crate::facts::{Details, Facts};
use crate::key::Key;

/// The exit code of a process that was ended by SIGKILL: 128 + 9.
const KILLED: u32 = 137;

/// How long an exit with 137 waits for a kill by the kernel to be told. Both take a few
/// milliseconds from shim to us; a loaded node may need some tens of them.
pub(crate) const SETTLE_AFTER: Duration = Duration::from_millis(250);

/// How long after an exit a kill by the kernel still counts as its reason. From the design (watch),
/// "Truth about exits".
const AMEND_WITHIN: SignedDuration = SignedDuration::from_secs(2);

/// What the runtime has to be asked before a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// Nothing.
    Nothing,
    /// The container's record, and what its image's name means.
    Details,
    /// The record and the task, as they are now; for one that was killed also the kernel's kills.
    Everything,
    /// How many processes the kernel has killed for memory.
    Kills,
}

/// What the runtime answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Answer {
    /// To [`Question::Details`] (without a task) and [`Question::Everything`].
    pub(crate) facts: Option<Facts>,
    /// How many processes the kernel has killed; 0 where nobody knows.
    pub(crate) kills: u64,
}

/// What a step gives.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    /// The container as it is now; `None` when nothing changed.
    pub(crate) container: Option<Container>,
    /// What there is to tell.
    pub(crate) notices: Vec<Notice>,
    /// What else is to be done, once this is written.
    pub(crate) then: Option<Then>,
    /// Whether two witnesses told different ends.
    pub(crate) is_conflict: bool,
}

/// What a step asks its driver for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// To give the event once more after [`SETTLE_AFTER`], as [`Witness::Settled`].
    Settle,
    /// To give [`What::Lost`] a little later: the task is gone, and its exit may still be told.
    Confirm,
}

/// What has to be asked for an event, given the container as it was last written.
pub(crate) fn question(key: &Key, container: Option<&Container>, event: &Event) -> Question {
    let known = container.filter(|container| container.state != ContainerState::Deleted);
    match &event.what {
        What::Created { .. } => Question::Details,
        What::Look | What::Lost => Question::Everything,
        What::Listed(facts) => {
            let answer = Answer { facts: Some((**facts).clone()), kills: 0 };
            let agrees = || step(key, container, None, event, &answer) == Outcome::default();
            if container.is_none() || agrees() { Question::Nothing } else { Question::Everything }
        }
        What::Exited { code: KILLED, witness, .. } if *witness != Witness::Settled => {
            let is_explained = |known: &Container| known.oom_count > 0 || !may_end(known);
            match known {
                Some(known) if is_explained(known) => Question::Nothing,
                Some(_) => Question::Kills,
                None => details_unless_deleted(container, event),
            }
        }
        What::Started { .. }
        | What::Exited { .. }
        | What::Oom { .. }
        | What::Paused
        | What::Resumed => match known {
            Some(_) => Question::Nothing,
            None => details_unless_deleted(container, event),
        },
        What::Deleted | What::Reap => Question::Nothing,
    }
}

/// Does one event. `settling` is an exit that was put off with [`Then::Settle`].
pub(crate) fn step(
    key: &Key,
    container: Option<&Container>,
    settling: Option<&Event>,
    event: &Event,
    answer: &Answer,
) -> Outcome {
    let mut life = Life {
        key,
        before: container,
        now: container.cloned(),
        source: event.source,
        outcome: Outcome::default(),
    };
    let put_off = settling.and_then(|exit| match exit.what {
        What::Exited { pid, code, .. } => Some((exit.at, pid, code)),
        _ => None,
    });
    let is_other = !matches!(event.what, What::Oom { .. } | What::Exited { .. });
    if let Some((at, pid, code)) = put_off.filter(|_| is_other) {
        life.exit(at, pid, code);
    }
    life.apply(event, answer);
    if let Some((at, pid, code)) = put_off.filter(|_| matches!(event.what, What::Oom { .. })) {
        life.exit(at, pid, code);
    }
    life.finish()
}

fn details_unless_deleted(container: Option<&Container>, event: &Event) -> Question {
    let deleted_at = container.and_then(|container| container.deleted_at);
    match deleted_at {
        Some(deleted_at) if event.at <= deleted_at => Question::Nothing,
        Some(_) if !matches!(event.what, What::Started { .. }) => Question::Nothing,
        _ => Question::Details,
    }
}

/// Whether an end can still be written.
fn may_end(container: &Container) -> bool {
    container.state.is_alive() || container.state == ContainerState::Created
}

/// A container while a step is done.
struct Life<'a> {
    key: &'a Key,
    before: Option<&'a Container>,
    now: Option<Container>,
    source: NoticeSource,
    outcome: Outcome,
}

impl Life<'_> {
    fn apply(&mut self, event: &Event, answer: &Answer) {
        let at = event.at;
        let details = answer.facts.as_ref().and_then(|facts| facts.details.as_ref());
        match &event.what {
            What::Created { image, runtime } => {
                let bare = || Details::bare(image, runtime);
                self.record(&details.cloned().unwrap_or_else(bare), at);
            }
            What::Listed(facts) => {
                let facts = answer.facts.as_ref().unwrap_or(facts);
                self.compare(facts, at, answer.kills, false);
            }
            What::Look | What::Lost => {
                let is_final = event.what == What::Lost;
                if let Some(facts) = &answer.facts {
                    self.compare(facts, at, answer.kills, is_final);
                }
            }
            What::Deleted => self.delete(at),
            What::Reap => {}
            _ => {
                if !self.is_known() {
                    let is_unseen =
                        self.now.is_none() || matches!(event.what, What::Started { .. });
                    let deleted_at = self.now.as_ref().and_then(|container| container.deleted_at);
                    if !is_unseen || deleted_at.is_some_and(|deleted_at| at <= deleted_at) {
                        return;
                    }
                    self.record(&details.cloned().unwrap_or_default(), at);
                }
                self.happen(event, answer.kills);
            }
        }
    }

    /// An event of a container that is known.
    fn happen(&mut self, event: &Event, kills: u64) {
        let at = event.at;
        match event.what {
            What::Started { pid } => self.start(at, pid),
            What::Paused => self.pause(true),
            What::Resumed => self.pause(false),
            What::Oom { count } => self.kill(at, count),
            What::Exited { pid, code, witness } => {
                self.count_kills(kills);
                let Some(container) = &self.now else { return };
                let is_unexplained = code == KILLED
                    && witness != Witness::Settled
                    && container.oom_count == 0
                    && container.kind == ContainerKind::Container
                    && may_end(container);
                if is_unexplained {
                    self.outcome.then = Some(Then::Settle);
                } else {
                    self.exit(at, pid, code);
                }
            }
            _ => {}
        }
    }

    /// A container's record was seen.
    fn record(&mut self, details: &Details, at: Timestamp) {
        if let Some(container) = &self.now {
            let is_same = match (details.created_at, container.created_at) {
                (Some(created_at), Some(known)) => created_at == known,
                (None, _) => container.deleted_at.is_none_or(|deleted_at| at <= deleted_at),
                (Some(_), None) => container.state != ContainerState::Deleted,
            };
            if is_same {
                return self.learn(details);
            }
            self.delete(at);
        }
        self.now = Some(Container {
            namespace: self.key.namespace.to_string(),
            id: self.key.id.to_string(),
            kind: details.kind,
            state: ContainerState::Created,
            isolation: details.isolation,
            pod: details.pod.clone(),
            name: details.name.clone(),
            image: details.image.clone(),
            manifest: details.digests.manifest,
            config: details.digests.config,
            pid: 0,
            created_at: details.created_at.or(Some(at)),
            started_at: None,
            finished_at: None,
            exit_code: None,
            reason: None,
            oom_count: 0,
            deleted_at: None,
        });
        self.say(NoticeKind::ContainerCreated, details.created_at.unwrap_or(at));
        if let (Some(notice), Some(platform)) =
            (self.outcome.notices.last_mut(), &details.digests.platform)
        {
            notice.platform = Some(platform.clone());
        }
    }

    /// Takes what was not known before; what the image's name meant first stays.
    fn learn(&mut self, details: &Details) {
        let Some(container) = &mut self.now else { return };
        container.image = container.image.take().or_else(|| details.image.clone());
        container.pod = container.pod.take().or_else(|| details.pod.clone());
        container.name = container.name.take().or_else(|| details.name.clone());
    }

    /// Holds what is there against what we know. With `is_final` nobody will tell more.
    fn compare(&mut self, facts: &Facts, at: Timestamp, kills: u64, is_final: bool) {
        let Some(details) = &facts.details else {
            let is_alive = self.now.as_ref().is_some_and(|container| container.state.is_alive());
            if is_alive && !is_final {
                self.outcome.then = Some(Then::Confirm);
            } else {
                self.delete(at);
            }
            return;
        };
        self.record(details, at);
        if !self.is_known() {
            return;
        }
        match &facts.task {
            Some(task) => self.compare_task(task, at, kills),
            None if !self.now.as_ref().is_some_and(|container| container.state.is_alive()) => {}
            None if is_final => self.lose(at),
            None => self.outcome.then = Some(Then::Confirm),
        }
    }

    fn compare_task(&mut self, task: &Task, at: Timestamp, kills: u64) {
        match task.status {
            TaskStatus::Running | TaskStatus::Pausing => {
                self.start(at, task.pid);
                self.pause(false);
            }
            TaskStatus::Paused => {
                self.start(at, task.pid);
                self.pause(true);
            }
            TaskStatus::Stopped => {
                let is_over = self.now.as_ref().is_some_and(|container| !may_end(container));
                if !is_over {
                    self.count_kills(kills);
                    self.exit(task.exited_at.map_or(at, whole), 0, task.exit_status);
                }
            }
            TaskStatus::Unknown => {
                if let Some(container) = self.now.as_mut().filter(|now| now.state.is_alive()) {
                    container.state = ContainerState::Unknown;
                }
            }
            TaskStatus::Created => {}
        }
    }

    fn start(&mut self, at: Timestamp, pid: u32) {
        let Some(container) = &self.now else { return };
        let is_running = container.state.is_alive();
        // Unknown becomes Exited only; its process is the same.
        if is_running && (container.pid == pid || container.pid == 0) {
            return;
        }
        if container.finished_at.is_some_and(|finished_at| at <= finished_at) {
            return;
        }
        if is_running {
            self.lose(at);
        }
        let Some(container) = &mut self.now else { return };
        container.state = ContainerState::Running;
        container.pid = pid;
        container.started_at = Some(at);
        container.finished_at = None;
        container.exit_code = None;
        container.reason = None;
        container.oom_count = 0;
        self.outcome.then = None;
        self.say(NoticeKind::ContainerStarted, at);
    }

    fn pause(&mut self, is_paused: bool) {
        let Some(container) = &mut self.now else { return };
        container.state = match container.state {
            ContainerState::Running if is_paused => ContainerState::Paused,
            ContainerState::Paused if !is_paused => ContainerState::Running,
            state => state,
        };
    }

    /// The kernel has killed processes of the container.
    fn kill(&mut self, at: Timestamp, count: u64) {
        let Some(container) = &mut self.now else { return };
        container.oom_count = container.oom_count.saturating_add(count);
        let is_late = container
            .finished_at
            .is_some_and(|finished_at| at.duration_since(finished_at) > AMEND_WITHIN);
        let amends = !is_late
            && container.kind == ContainerKind::Container
            && container.state == ContainerState::Exited
            && container.exit_code == Some(KILLED)
            && container.reason == Some(ExitReason::Error);
        if amends {
            container.reason = Some(ExitReason::OomKilled);
        }
        self.say(NoticeKind::ContainerOom, at);
        if amends {
            let ended_at = self.now.as_ref().and_then(|container| container.finished_at);
            self.say(NoticeKind::ContainerExited, ended_at.unwrap_or(at));
            if let Some(notice) = self.outcome.notices.last_mut() {
                notice.is_amended = true;
            }
        }
    }

    /// Takes the kernel's own count, where it is more than what was told.
    fn count_kills(&mut self, kills: u64) {
        if let Some(container) = self.now.as_mut().filter(|container| may_end(container)) {
            container.oom_count = container.oom_count.max(kills);
        }
    }

    /// Init has ended with a code that somebody saw.
    fn exit(&mut self, at: Timestamp, pid: u32, code: u32) {
        let Some(container) = &self.now else { return };
        if pid != 0 && container.pid != 0 && pid != container.pid {
            // Of an earlier start.
            return;
        }
        if !may_end(container) {
            self.outcome.is_conflict =
                container.exit_code.is_some_and(|known| known != code) && self.before.is_some();
            return;
        }
        let is_oom =
            code == KILLED && container.oom_count > 0 && container.kind == ContainerKind::Container;
        let reason = match code {
            _ if is_oom => ExitReason::OomKilled,
            0 => ExitReason::Completed,
            _ => ExitReason::Error,
        };
        self.end(at, code, reason);
    }

    /// Init is gone and nobody saw how it ended.
    fn lose(&mut self, at: Timestamp) {
        self.end(at, UNKNOWN_EXIT_STATUS, ExitReason::Unknown);
    }

    fn end(&mut self, at: Timestamp, code: u32, reason: ExitReason) {
        let Some(container) = &mut self.now else { return };
        let (state, kind) = match container.kind {
            ContainerKind::Container => (ContainerState::Exited, NoticeKind::ContainerExited),
            ContainerKind::Sandbox => (ContainerState::NotReady, NoticeKind::SandboxExited),
        };
        container.state = state;
        container.pid = 0;
        container.finished_at = Some(at);
        container.exit_code = Some(code);
        container.reason = Some(reason);
        self.outcome.then = None;
        self.say(kind, at);
    }

    fn delete(&mut self, at: Timestamp) {
        let Some(container) = self.now.as_ref().filter(|_| self.is_known()) else { return };
        if container.created_at.is_some_and(|created_at| at < created_at) {
            // Of an earlier container of that id.
            return;
        }
        if container.state.is_alive() {
            self.lose(at);
        }
        let Some(container) = &mut self.now else { return };
        container.state = ContainerState::Deleted;
        container.deleted_at = Some(at);
        self.outcome.then = None;
        self.say(NoticeKind::ContainerDeleted, at);
    }

    fn is_known(&self) -> bool {
        self.now.as_ref().is_some_and(|container| container.state != ContainerState::Deleted)
    }

    /// Tells of the container as it is now.
    fn say(&mut self, kind: NoticeKind, at: Timestamp) {
        let Some(container) = &self.now else { return };
        let is_end = matches!(kind, NoticeKind::ContainerExited | NoticeKind::SandboxExited);
        let counts = is_end || kind == NoticeKind::ContainerOom;
        let mut notice = Notice::new(kind, at, self.source);
        notice.namespace.clone_from(&container.namespace);
        notice.id.clone_from(&container.id);
        notice.name.clone_from(&container.image);
        notice.digest = container.manifest;
        notice.pod.clone_from(&container.pod);
        notice.container.clone_from(&container.name);
        notice.isolation = Some(container.isolation);
        notice.pid = (container.pid != 0).then_some(container.pid);
        notice.exit_code = container.exit_code.filter(|_| is_end);
        notice.reason = container.reason.filter(|_| is_end);
        notice.oom_count = counts.then_some(container.oom_count);
        self.outcome.notices.push(notice);
    }

    fn finish(mut self) -> Outcome {
        if self.now.as_ref() != self.before {
            self.outcome.container = self.now;
        }
        self.outcome
    }
}

#[cfg(test)]
mod tests;
