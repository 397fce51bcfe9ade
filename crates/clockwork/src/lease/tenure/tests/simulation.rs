//! A store and several holders in simulated time.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::Random;

/// One step of the clock, in milliseconds; everything happens at a step.
const STEP: u64 = 250;

/// How long a store and its network may be bad, and how long they are good afterwards.
const BAD: u64 = 20 * 60_000;
const GOOD: u64 = 10 * 60_000;

/// The row of the lease. Times are in milliseconds.
#[derive(Debug, Default)]
struct Row {
    holder: usize,
    token: u64,
    expires_at: u64,
}

#[derive(Debug)]
struct Call {
    question: Action,
    asked_at: u64,
    /// When the store gets it; `None`: it is lost on its way.
    arrives_at: Option<u64>,
    /// When its caller gets the answer, or learns that there is none.
    answered_at: u64,
    answer: Option<Event>,
}

#[derive(Debug)]
struct Work {
    token: u64,
    is_cancelled: bool,
    /// Somebody else has taken the lease since.
    is_taken: bool,
    /// When it will have ended.
    ends_at: Option<u64>,
}

#[derive(Debug)]
struct Holder {
    tenure: Tenure,
    began_at: u64,
    stopped_until: u64,
    calls: Vec<Call>,
    work: Option<Work>,
    losses: u32,
    must_count_loss: bool,
    /// When the last call began that it knows to have succeeded.
    renewed_at: u64,
    is_finished: bool,
}

struct World {
    now: u64,
    random: Random,
    row: Row,
    holders: Vec<Holder>,
    /// Commits on their way: when they arrive, whose, under which token.
    commits: Vec<(u64, usize, u64)>,
    /// Who committed under each token.
    committed: HashMap<u64, usize>,
    last_committed: u64,
    work_count: u32,
    loss_count: u32,
}

impl Holder {
    fn new(now: u64) -> Self {
        Self {
            tenure: Tenure::new(LeaseTimes::default()),
            began_at: now,
            stopped_until: 0,
            calls: Vec::new(),
            work: None,
            losses: 0,
            must_count_loss: false,
            renewed_at: 0,
            is_finished: false,
        }
    }
}

impl World {
    fn new(seed: u64, holder_count: usize) -> Self {
        Self {
            now: 0,
            random: Random::from_seed(seed),
            row: Row::default(),
            holders: (0..holder_count).map(|_| Holder::new(0)).collect(),
            commits: Vec::new(),
            committed: HashMap::new(),
            last_committed: 0,
            work_count: 0,
            loss_count: 0,
        }
    }

    /// True once in `times` on average.
    fn once_in(&mut self, times: u64) -> bool {
        self.random.next_number().is_multiple_of(times)
    }

    fn up_to(&mut self, millis: u64) -> u64 {
        self.random.next_number() % (millis + 1)
    }

    fn is_bad(&self) -> bool {
        self.now < BAD
    }

    fn step(&mut self) {
        self.now += STEP;
        self.serve();
        self.judge();
        for index in 0..self.holders.len() {
            if self.holders[index].stopped_until <= self.now {
                self.live(index);
                self.check_alone(index);
            }
            if self.is_bad() && self.once_in(2_000) {
                self.holders[index].stopped_until = self.now + self.up_to(200_000);
            }
        }
    }

    /// The store answers what has arrived.
    fn serve(&mut self) {
        for index in 0..self.holders.len() {
            let mut calls = std::mem::take(&mut self.holders[index].calls);
            for call in &mut calls {
                if call.arrives_at.is_some_and(|at| at <= self.now) {
                    call.arrives_at = None;
                    call.answer = Some(self.answer(index, &call.question));
                }
            }
            self.holders[index].calls = calls;
        }
    }

    fn answer(&mut self, holder: usize, question: &Action) -> Event {
        let ttl = u64::try_from(LeaseTimes::TTL.as_millis()).expect("a minute");
        let (now, row) = (self.now, &mut self.row);
        let is_ours = |row: &Row, lease: &Lease| {
            row.token == lease.token && row.holder == holder && row.expires_at > now
        };
        match question {
            Action::Acquire if row.expires_at > now => {
                let remaining = Duration::from_millis(row.expires_at - now);
                Event::HeldElsewhere { remaining }
            }
            Action::Acquire => {
                *row = Row { holder, token: row.token + 1, expires_at: now + ttl };
                let lease = lease(row.token);
                for holder in &mut self.holders {
                    if let Some(work) = &mut holder.work {
                        work.is_taken = true;
                    }
                }
                Event::Acquired(lease)
            }
            Action::Renew(lease) if is_ours(row, lease) => {
                row.expires_at = now + ttl;
                Event::Renewed(lease.clone())
            }
            Action::Renew(_) => Event::Lost,
            Action::Release(lease) => {
                if is_ours(row, lease) {
                    row.expires_at = 0;
                }
                Event::Released
            }
            other => panic!("{other:?} is no question"),
        }
    }

    /// The fence lets commits pass or not.
    fn judge(&mut self) {
        let (now, row) = (self.now, &self.row);
        let (arrived, waiting) = self.commits.iter().partition(|(at, ..)| *at <= now);
        self.commits = waiting;
        for (_, holder, token) in Vec::from_iter::<Vec<_>>(arrived) {
            if row.token != token || row.holder != holder || row.expires_at <= now {
                continue;
            }
            assert!(token >= self.last_committed, "token {token} after {}", self.last_committed);
            self.last_committed = token;
            let first = *self.committed.entry(token).or_insert(holder);
            assert_eq!(first, holder, "two holders committed under token {token}");
        }
    }

    /// A process that is not stopped does what it has to do.
    fn live(&mut self, index: usize) {
        if self.holders[index].is_finished {
            self.check_losses(index);
            if self.once_in(40) {
                self.holders[index] = Holder::new(self.now);
            }
            return;
        }
        let now = self.now;
        let calls = std::mem::take(&mut self.holders[index].calls);
        let (answered, waiting) = calls.into_iter().partition(|call| call.answered_at <= now);
        self.holders[index].calls = waiting;
        for call in Vec::from_iter::<Vec<Call>>(answered) {
            let event = call.answer.unwrap_or(match call.question {
                Action::Acquire => Event::AcquireFailed { retry_after: Duration::from_secs(1) },
                Action::Renew(_) => Event::RenewFailed,
                _ => Event::Released,
            });
            if matches!(event, Event::Acquired(_) | Event::Renewed(_)) {
                self.holders[index].renewed_at = call.asked_at;
            }
            self.feed(index, event);
        }
        if self.holders[index]
            .work
            .as_ref()
            .is_some_and(|work| work.ends_at.is_some_and(|at| at <= now))
        {
            self.end_work(index);
        }
        self.feed(index, Event::Tick);
        self.work(index);
    }

    fn work(&mut self, index: usize) {
        let Some(work) = &self.holders[index].work else { return };
        let (token, is_ending) = (work.token, work.ends_at.is_some());
        if self.once_in(8) {
            let arrives_at = self.now + if self.is_bad() { self.up_to(90_000) } else { 0 };
            self.commits.push((arrives_at, index, token));
        }
        if !is_ending && self.once_in(800) {
            let ends_at = self.now;
            self.holders[index].work.as_mut().expect("at work").ends_at = Some(ends_at);
        }
        if self.once_in(2_000) {
            self.feed(index, Event::Stop);
        }
    }

    fn end_work(&mut self, index: usize) {
        let holder = &mut self.holders[index];
        let work = holder.work.take().expect("at work");
        holder.must_count_loss |= work.is_taken;
        self.feed(index, Event::WorkEnded);
    }

    fn feed(&mut self, index: usize, event: Event) {
        let holder = &mut self.holders[index];
        let now = Duration::from_millis(self.now - holder.began_at);
        for action in holder.tenure.step(event, now) {
            self.perform(index, action);
        }
    }

    fn perform(&mut self, index: usize, action: Action) {
        match action {
            Action::Start(lease) => {
                self.work_count += 1;
                let is_taken = self.row.token != lease.token;
                self.holders[index].work =
                    Some(Work { token: lease.token, is_cancelled: false, is_taken, ends_at: None });
            }
            Action::Cancel(reason) => {
                let ends_at = self.now + self.up_to(if self.is_bad() { 90_000 } else { 1_000 });
                let holder = &mut self.holders[index];
                holder.must_count_loss |= reason != CancelReason::Stopped;
                let work = holder.work.as_mut().expect("only work is cancelled");
                assert!(!work.is_cancelled, "cancelled twice");
                work.is_cancelled = true;
                work.ends_at = Some(work.ends_at.map_or(ends_at, |earlier| earlier.min(ends_at)));
            }
            Action::CountLoss => {
                self.loss_count += 1;
                let (now, holder) = (self.now, &mut self.holders[index]);
                holder.losses += 1;
                assert_eq!(holder.losses, 1, "counted twice: {holder:?}");
                let is_taken = holder.work.as_ref().is_some_and(|work| work.is_taken);
                let is_overdue = now >= holder.renewed_at + 40_000;
                assert!(is_taken || is_overdue || holder.must_count_loss, "no loss: {holder:?}");
            }
            Action::Finish => self.holders[index].is_finished = true,
            Action::Acquire | Action::Renew(_) | Action::Release(_) => {
                let call = self.call(action);
                self.holders[index].calls.push(call);
            }
        }
    }

    /// A call that is quick, or slow on either way, or lost on either way.
    fn call(&mut self, question: Action) -> Call {
        let (now, is_bad) = (self.now, self.is_bad());
        let mut way = || match is_bad {
            true if self.once_in(6) => self.up_to(70_000),
            _ => self.up_to(400),
        };
        let arrives_at = now + way();
        let answered_at = arrives_at + STEP + way();
        let is_lost = is_bad && self.once_in(8);
        let arrives_at = (!is_lost).then_some(arrives_at);
        Call { question, asked_at: now, arrives_at, answered_at, answer: None }
    }

    /// Whoever runs and works without having been told to end has the lease to itself.
    fn check_alone(&self, index: usize) {
        if let Some(work) = &self.holders[index].work
            && !work.is_cancelled
        {
            let row = &self.row;
            assert!(
                row.token == work.token && row.holder == index && row.expires_at > self.now,
                "holder {index} works under {work:?} at {}, row {row:?}",
                self.now
            );
        }
    }

    /// A tenure whose lease was taken, or whose work was cancelled for its sake, counted that.
    fn check_losses(&self, index: usize) {
        let holder = &self.holders[index];
        assert!(holder.losses == 1 || !holder.must_count_loss, "not counted: {holder:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_happens_one_holder_works_and_each_loss_is_counted_once(
        seed in any::<u64>(),
        holder_count in 2_usize..5,
    ) {
        let mut world = World::new(seed, holder_count);
        while world.now < BAD {
            world.step();
        }
        let (work_count, loss_count) = (world.work_count, world.loss_count);
        prop_assert!(work_count > 0 && loss_count > 0, "nothing was tried: {work_count} works");
        let mut is_worked = false;
        while world.now < BAD + GOOD {
            world.step();
            let is_settled = world.now > BAD + GOOD / 2;
            is_worked |= is_settled && world.holders.iter().any(|holder| holder.work.is_some());
        }
        prop_assert!(is_worked, "all is well and nobody works");
    }
}
