//! Goal: every order in which witnesses tell leads to one end, and the right one. Method: events
//! are played to a container through `question` and `step` as the desk does it, and what was told
//! is compared as short texts.

use pratique_model::Isolation;
use proptest::prelude::*;

use crate::facts::Digests;

use super::*;

/// One container and what was told of it.
struct Play {
    key: Key,
    container: Option<Container>,
    settling: Option<Event>,
    told: Vec<String>,
    conflict_count: usize,
    confirms: usize,
    /// What the runtime would answer.
    facts: Facts,
    kills: u64,
}

fn at(millisecond: i64) -> Timestamp {
    Timestamp::from_millisecond(1_000_000 + millisecond).expect("a time")
}

fn details() -> Details {
    Details {
        isolation: Isolation::Runc,
        image: Some("registry.example/cart:1".to_owned()),
        created_at: Some(at(0)),
        digests: Digests {
            manifest: format!("sha256:{}", "a".repeat(64)).parse().ok(),
            ..Digests::default()
        },
        ..Details::default()
    }
}

fn task(status: TaskStatus, pid: u32, exit_status: u32) -> Option<Task> {
    let exited_at = (status == TaskStatus::Stopped).then(|| at(50));
    Some(Task { id: "a".into(), pid, status, exit_status, exited_at, ..Task::default() })
}

impl Play {
    fn new() -> Self {
        Self {
            key: Key::container("ns", "a"),
            container: None,
            settling: None,
            told: Vec::new(),
            conflict_count: 0,
            confirms: 0,
            facts: Facts { details: Some(details()), task: None },
            kills: 0,
        }
    }

    fn sandbox() -> Self {
        let mut play = Self::new();
        play.facts.details = Some(Details { kind: ContainerKind::Sandbox, ..details() });
        play
    }

    fn event(&mut self, millisecond: i64, what: What) -> &mut Self {
        let is_ours = matches!(what, What::Listed(_) | What::Look | What::Lost);
        let source = if is_ours { NoticeSource::Reconcile } else { NoticeSource::Event };
        self.play(&Event::new(at(millisecond), source, what));
        self
    }

    fn play(&mut self, event: &Event) {
        let answer = match question(&self.key, self.container.as_ref(), event) {
            Question::Nothing => Answer::default(),
            Question::Details => {
                let facts = Facts { task: None, ..self.facts.clone() };
                Answer { facts: Some(facts), kills: 0 }
            }
            Question::Everything => Answer { facts: Some(self.facts.clone()), kills: self.kills },
            Question::Kills => Answer { facts: None, kills: self.kills },
        };
        let settling = self.settling.clone();
        let outcome = step(&self.key, self.container.as_ref(), settling.as_ref(), event, &answer);
        self.told.extend(outcome.notices.iter().map(text));
        self.conflict_count += usize::from(outcome.is_conflict);
        match outcome.then {
            Some(Then::Settle) => {
                let mut event = event.clone();
                if let What::Exited { witness, .. } = &mut event.what {
                    *witness = Witness::Settled;
                }
                self.settling = Some(event);
            }
            Some(Then::Confirm) => self.confirms += 1,
            None => {}
        }
        if let Some(container) = outcome.container {
            if !may_end(&container) {
                self.settling = None;
            }
            self.container = Some(container);
        }
    }

    /// The time that an exit was put off has passed.
    fn settle(&mut self) -> &mut Self {
        if let Some(event) = self.settling.clone() {
            self.play(&event);
        }
        self
    }

    fn running(&mut self) -> &mut Self {
        let created = What::Created { image: String::new(), runtime: String::new() };
        self.event(0, created).event(10, What::Started { pid: 7 })
    }

    fn exited(&mut self, millisecond: i64, code: u32) -> &mut Self {
        self.event(millisecond, What::Exited { pid: 7, code, witness: Witness::Event })
    }

    #[track_caller]
    fn check(&mut self, told: &[&str]) -> &mut Self {
        assert_eq!(self.told, told);
        self.told.clear();
        self
    }

    fn state(&self) -> ContainerState {
        self.container.as_ref().expect("a container").state
    }
}

/// A notice in short.
fn text(notice: &Notice) -> String {
    let mut text = notice.kind.to_string();
    if let (Some(code), Some(reason)) = (notice.exit_code, notice.reason) {
        text.push_str(&format!(" {code} {reason}"));
    }
    if notice.is_amended {
        text.push_str(" amended");
    }
    text
}

const BEGUN: [&str; 2] = ["container_created", "container_started"];

#[test]
fn a_life_is_told_once_and_in_order() {
    let mut play = Play::new();
    play.running().check(&BEGUN).exited(20, 3).exited(20, 3).event(30, What::Deleted);
    play.check(&["container_exited 3 Error", "container_deleted"]);
    let container = play.container.expect("kept in mind");
    assert_eq!((container.pid, container.finished_at), (0, Some(at(20))));
    assert_eq!(container.image.as_deref(), Some("registry.example/cart:1"));
    assert!(container.manifest.is_some());
}

#[test]
fn the_first_witness_holds_and_a_conflict_is_counted() {
    let mut play = Play::new();
    play.running().event(20, What::Exited { pid: 7, code: 0, witness: Witness::Wait });
    play.exited(20, 0).exited(20, 9);
    play.check(&[BEGUN[0], BEGUN[1], "container_exited 0 Completed"]);
    assert_eq!(play.conflict_count, 1);
}

#[test]
fn an_end_by_the_kernel_is_never_first_an_error() {
    // The kill is told first; then the exit; then nothing of it but the cgroup's count.
    let oom = "container_exited 137 OOMKilled";
    let mut play = Play::new();
    play.running().event(15, What::Oom { count: 1 }).exited(20, 137);
    play.check(&[BEGUN[0], BEGUN[1], "container_oom", oom]);
    let mut play = Play::new();
    play.running().exited(20, 137).check(&BEGUN).event(25, What::Oom { count: 1 });
    play.check(&["container_oom", oom]).settle().check(&[]);
    let mut play = Play::new();
    play.kills = 1;
    play.running().exited(20, 137).check(&[BEGUN[0], BEGUN[1], oom]);
    // The container is removed while it is waited for.
    let mut play = Play::new();
    play.running().exited(20, 137).check(&BEGUN).event(30, What::Deleted);
    play.check(&["container_exited 137 Error", "container_deleted"]);
}

#[test]
fn a_kill_up_to_two_seconds_later_amends_once() {
    let mut play = Play::new();
    play.running().exited(20, 137).settle();
    play.check(&[BEGUN[0], BEGUN[1], "container_exited 137 Error"]);
    play.event(2_020, What::Oom { count: 1 }).event(2_020, What::Oom { count: 1 });
    play.check(&["container_oom", "container_exited 137 OOMKilled amended", "container_oom"]);
    let mut play = Play::new();
    play.running().exited(20, 137).settle().event(2_021, What::Oom { count: 1 });
    play.check(&[BEGUN[0], BEGUN[1], "container_exited 137 Error", "container_oom"]);
}

#[test]
fn a_childs_kill_is_counted_and_leaves_the_reason() {
    let mut play = Play::new();
    play.running().event(15, What::Oom { count: 2 }).exited(20, 3);
    play.check(&[BEGUN[0], BEGUN[1], "container_oom", "container_exited 3 Error"]);
    assert_eq!(play.container.expect("there").oom_count, 2);
}

#[test]
fn a_sandbox_ends_as_not_ready_and_a_kill_is_never_its_reason() {
    let mut play = Play::sandbox();
    play.running().event(15, What::Oom { count: 1 }).exited(20, 137);
    play.check(&[BEGUN[0], BEGUN[1], "container_oom", "sandbox_exited 137 Error"]);
    assert_eq!(play.state(), ContainerState::NotReady);
}

#[test]
fn what_was_missed_is_found_by_comparing() {
    let listed = |play: &mut Play| {
        let facts = Box::new(play.facts.clone());
        play.event(100, What::Listed(facts));
    };
    // Never seen before, and it runs.
    let mut play = Play::new();
    play.facts.task = task(TaskStatus::Running, 7, 0);
    listed(&mut play);
    play.check(&BEGUN);
    listed(&mut play);
    play.check(&[]);
    // It ended, and its task still says how.
    play.facts.task = task(TaskStatus::Stopped, 7, 4);
    listed(&mut play);
    listed(&mut play);
    play.check(&["container_exited 4 Error"]);
    // It is gone.
    play.facts = Facts { details: None, task: None };
    play.event(110, What::Look).event(120, What::Look).check(&["container_deleted"]);
    assert_eq!(play.confirms, 0);
}

#[test]
fn a_task_that_is_gone_is_lost_only_when_nobody_tells_its_end_in_time() {
    let mut play = Play::new();
    play.running().check(&BEGUN).event(100, What::Look).check(&[]);
    assert_eq!(play.confirms, 1);
    play.exited(50, 0).event(200, What::Lost).check(&["container_exited 0 Completed"]);

    let mut play = Play::new();
    play.running().event(100, What::Look).event(200, What::Lost);
    play.check(&[BEGUN[0], BEGUN[1], "container_exited 255 Unknown"]);
    play.exited(50, 0).check(&[]);
    assert_eq!(play.conflict_count, 1);

    let mut play = Play::new();
    play.running().event(90, What::Deleted);
    play.check(&[BEGUN[0], BEGUN[1], "container_exited 255 Unknown", "container_deleted"]);
}

#[test]
fn an_older_event_behind_a_newer_look_changes_nothing() {
    let mut play = Play::new();
    play.running();
    play.facts.task = task(TaskStatus::Stopped, 7, 0);
    play.event(100, What::Look);
    play.check(&[BEGUN[0], BEGUN[1], "container_exited 0 Completed"]);
    // What the look was newer than.
    play.event(10, What::Started { pid: 7 }).exited(50, 0).check(&[]);
    assert_eq!((play.state(), play.conflict_count), (ContainerState::Exited, 0));
}

#[test]
fn a_container_that_is_started_again_ends_again() {
    let mut play = Play::new();
    play.running().exited(20, 1).event(30, What::Started { pid: 8 });
    play.exited(20, 1).check(&[BEGUN[0], BEGUN[1], "container_exited 1 Error", BEGUN[1]]);
    assert_eq!(play.state(), ContainerState::Running);
    play.event(40, What::Exited { pid: 8, code: 0, witness: Witness::Wait });
    play.check(&["container_exited 0 Completed"]);
}

#[test]
fn an_id_that_comes_again_is_another_container() {
    let mut play = Play::new();
    play.running().check(&BEGUN);
    play.facts.details = Some(Details { created_at: Some(at(100)), ..details() });
    let created = || What::Created { image: String::new(), runtime: String::new() };
    play.event(100, created());
    play.check(&["container_exited 255 Unknown", "container_deleted", BEGUN[0]]);
    play.event(90, What::Deleted).event(100, created()).check(&[]);
    play.event(120, What::Deleted).event(110, What::Started { pid: 9 });
    play.exited(115, 0).event(100, created()).check(&["container_deleted"]);
    play.facts.details = None;
    play.event(130, created()).check(&[BEGUN[0]]);
}

#[test]
fn a_container_that_was_gone_before_it_could_be_asked_for_still_has_its_life() {
    let mut play = Play::new();
    play.facts.details = None;
    let created = What::Created { image: "cart:1".into(), runtime: "io.containerd.runc.v2".into() };
    play.event(0, created).event(10, What::Started { pid: 7 }).exited(20, 2);
    play.event(30, What::Deleted);
    play.check(&[BEGUN[0], BEGUN[1], "container_exited 2 Error", "container_deleted"]);
    assert_eq!(play.container.expect("there").image.as_deref(), Some("cart:1"));
    let mut play = Play::new();
    play.facts.details = None;
    play.exited(20, 2).check(&[BEGUN[0], "container_exited 2 Error"]);
}

#[test]
fn pausing_is_a_state_and_an_unknown_one_can_only_end() {
    let mut play = Play::new();
    play.running().event(12, What::Paused);
    assert_eq!(play.state(), ContainerState::Paused);
    play.event(14, What::Resumed);
    assert_eq!(play.state(), ContainerState::Running);
    play.facts.task = task(TaskStatus::Unknown, 0, 0);
    play.event(16, What::Look);
    assert_eq!(play.state(), ContainerState::Unknown);
    play.event(17, What::Started { pid: 7 }).event(18, What::Paused);
    assert_eq!(play.state(), ContainerState::Unknown);
    play.exited(20, 0).check(&[BEGUN[0], BEGUN[1], "container_exited 0 Completed"]);
}

fn any_event() -> impl Strategy<Value = (i64, What)> {
    let witness = prop_oneof![Just(Witness::Wait), Just(Witness::Event), Just(Witness::Settled)];
    let code = prop_oneof![Just(0_u32), Just(3), Just(KILLED)];
    let what = prop_oneof![
        Just(What::Created { image: String::new(), runtime: String::new() }),
        Just(What::Started { pid: 7 }),
        Just(What::Paused),
        Just(What::Resumed),
        Just(What::Oom { count: 1 }),
        (code, witness).prop_map(|(code, witness)| What::Exited { pid: 7, code, witness }),
        Just(What::Look),
        Just(What::Lost),
        Just(What::Deleted),
    ];
    (0..100_i64, what)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    /// Whatever comes, in whatever order: ends and starts take turns, and doing a step again after
    /// it was written tells nothing new.
    #[test]
    fn no_order_of_events_tells_an_end_twice(
        events in prop::collection::vec((any_event(), 0..4_u8), 1..30),
    ) {
        let mut play = Play::new();
        let mut is_over = false;
        for ((millisecond, what), runs) in events {
            play.facts.task = match runs {
                0 => None,
                1 => task(TaskStatus::Running, 7, 0),
                2 => task(TaskStatus::Stopped, 7, 3),
                _ => task(TaskStatus::Paused, 7, 0),
            };
            play.event(millisecond, what);
            for told in std::mem::take(&mut play.told) {
                let is_amended = told.ends_with("amended");
                if told.starts_with("container_exited") && !is_amended {
                    prop_assert!(!is_over, "an end was told twice");
                    is_over = true;
                } else if told == "container_started" || told == "container_created" {
                    is_over = false;
                }
            }
            let container = play.container.as_ref();
            if let Some(container) = container.filter(|container| !may_end(container)) {
                prop_assert_eq!(container.pid, 0);
            }
        }
    }
}
