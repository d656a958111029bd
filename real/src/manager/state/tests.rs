//! The state machine against a simple reference: one list of items for each queue.

use proptest::prelude::*;

use super::*;

const CLIENTS: u64 = 3;
const QUEUES: usize = 2;
/// The identifier of a session that has left.
const CLOSED: u64 = u64::MAX;

/// What somebody does next. Where it makes no sense at that moment it is left out.
#[derive(Clone, Debug)]
enum Move {
    Ask { session: usize, kind: u8, queue: usize, wait: bool },
    Hurry { session: usize },
    Look { session: usize },
    Accept { session: usize },
    Leave { session: usize },
}

fn moves() -> impl Strategy<Value = (Vec<u32>, Vec<Move>)> {
    let session = 0..6_usize;
    let one = prop_oneof![
        6 => (session.clone(), 0..8_u8, 0..QUEUES, any::<bool>())
            .prop_map(|(session, kind, queue, wait)| Move::Ask { session, kind, queue, wait }),
        2 => session.clone().prop_map(|session| Move::Hurry { session }),
        6 => session.clone().prop_map(|session| Move::Look { session }),
        4 => session.clone().prop_map(|session| Move::Accept { session }),
        1 => session.prop_map(|session| Move::Leave { session }),
    ];
    (prop::collection::vec(0..3_u32, QUEUES), prop::collection::vec(one, 0..120))
}

/// A session as its client sees it.
#[derive(Clone, Debug, Default)]
struct Seen {
    identifier: u64,
    request: u64,
    asked: Option<Call>,
    hurried: bool,
    delivered: Option<Arc<Vec<u8>>>,
    looks: bool,
}

/// The queue as one list: what was put and not taken, in order.
#[derive(Default)]
struct Reference {
    maxsize: u32,
    inside: VecDeque<Arc<Vec<u8>>>,
    /// By client: taken and not done. The clients here say `task_done` for themselves only, …
    taken: BTreeMap<ClientId, u64>,
    /// … so that these will never be said.
    missing: u64,
}

impl Reference {
    fn unfinished(&self) -> u64 {
        self.inside.len() as u64 + self.missing + self.taken.values().sum::<u64>()
    }
}

struct World {
    state: State,
    sessions: Vec<Seen>,
    queues: Vec<Reference>,
    opened: u64,
    items: u64,
}

impl World {
    fn new(bounds: &[u32]) -> Self {
        let mut world = Self {
            state: State::new(Form::Closed, QUEUES),
            sessions: vec![Seen::default(); 6],
            queues: Vec::new(),
            opened: 0,
            items: 0,
        };
        for session in 0..world.sessions.len() {
            world.open(session);
        }
        for &maxsize in bounds {
            world.queues.push(Reference { maxsize, ..Reference::default() });
            world.ask(0, Call::Create { maxsize });
        }
        world
    }

    fn open(&mut self, session: usize) {
        self.opened += 1;
        self.sessions[session] = Seen { identifier: self.opened, ..Seen::default() };
        let client = Self::client(session);
        self.apply(Event::Joined { session: SessionId(self.opened), client }).unwrap();
    }

    /// Two sessions are of one client.
    fn client(session: usize) -> ClientId {
        ClientId(session as u64 % CLIENTS)
    }

    fn identifier(&self, session: usize) -> SessionId {
        SessionId(self.sessions[session].identifier)
    }

    fn ask(&mut self, session: usize, call: Call) {
        let seen = &mut self.sessions[session];
        seen.request += 1;
        seen.asked = Some(call.clone());
        seen.hurried = false;
        let (session, request) = (SessionId(seen.identifier), seen.request);
        self.apply(Event::Asked { session, request, call }).unwrap();
    }

    fn apply(&mut self, event: Event) -> Result<(), OutOfTurn> {
        let mut effects = Vec::new();
        self.state.apply(event, &mut effects)?;
        for effect in effects {
            let identifier = effect.session().0;
            let sessions = &mut self.sessions;
            let found = sessions.iter().position(|seen| seen.identifier == identifier);
            let session = found.expect("only who is there is told something");
            match effect {
                Effect::Look { .. } => self.sessions[session].looks = true,
                Effect::Answer { request, answer, .. } => {
                    assert_eq!(request, self.sessions[session].request);
                    self.answered(session, answer);
                }
            }
        }
        Ok(())
    }

    fn answered(&mut self, session: usize, answer: Answer) {
        let seen = &mut self.sessions[session];
        let call = seen.asked.take().expect("an answer for each call");
        let may_refuse = seen.hurried;
        let queue = match &call {
            Call::Create { .. } => return assert!(matches!(answer, Answer::Created(_))),
            Call::Put { queue, .. } | Call::Get { queue, .. } | Call::Join { queue, .. } => queue,
            Call::Size { queue } | Call::TaskDone { queue } => queue,
        };
        let reference = &mut self.queues[queue.0 as usize];
        let own = reference.taken.entry(Self::client(session)).or_default();
        match (&call, answer) {
            (Call::Put { item, .. }, Answer::Done) => {
                reference.inside.push_back(Arc::clone(item));
                let bound = reference.maxsize as usize;
                assert!(bound == 0 || reference.inside.len() <= bound, "bounded");
            }
            (Call::Put { wait, .. }, Answer::Full) => {
                assert!(!wait || may_refuse);
                assert_eq!(reference.inside.len(), reference.maxsize as usize, "full is full");
            }
            (Call::Get { wait, .. }, Answer::Empty) => {
                assert!(!wait || may_refuse);
                assert!(reference.inside.is_empty(), "empty is empty");
            }
            (Call::Get { .. }, Answer::Item(item)) => {
                assert_eq!(reference.inside.front(), Some(&item), "first in, first out");
                seen.delivered = Some(item);
                seen.asked = Some(call);
            }
            (Call::Get { .. }, Answer::Done) => {
                let item = seen.delivered.take();
                assert_eq!(reference.inside.pop_front(), item, "taken once, and as delivered");
                *own += 1;
            }
            (Call::Size { .. }, Answer::Size { size, maxsize }) => {
                assert_eq!((size, maxsize), (reference.inside.len() as u64, reference.maxsize));
            }
            (Call::TaskDone { .. }, Answer::Done) => *own -= 1,
            (Call::Join { .. }, Answer::Done) => assert_eq!(reference.unfinished(), 0),
            (Call::Join { .. }, Answer::Missing(tasks)) => {
                assert_eq!((tasks, tasks), (reference.missing, reference.unfinished()));
            }
            (Call::Join { wait, .. }, Answer::Unfinished(tasks)) => {
                assert!(!wait || may_refuse);
                assert_eq!(tasks, reference.unfinished());
            }
            (call, answer) => panic!("{answer:?} to {call:?}"),
        }
    }

    fn call(&mut self, session: usize, kind: u8, queue: usize, wait: bool) -> Option<Call> {
        let identifier = QueueId(u32::try_from(queue).unwrap());
        Some(match kind {
            0..=2 => {
                self.items += 1;
                let item = Arc::new(self.items.to_le_bytes().to_vec());
                Call::Put { queue: identifier, wait, item }
            }
            3..=4 => Call::Get { queue: identifier, wait },
            5 => Call::Size { queue: identifier },
            6 => {
                let taken = &self.queues[queue].taken;
                let own = taken.get(&Self::client(session)).copied().unwrap_or_default();
                // Only for oneself: the reference does not know for whom else.
                (own > 0).then_some(Call::TaskDone { queue: identifier })?
            }
            _ => Call::Join { queue: identifier, wait },
        })
    }

    fn carry_out(&mut self, action: &Move) {
        match *action {
            Move::Ask { session, kind, queue, wait } => {
                if self.sessions[session].identifier == CLOSED {
                    self.open(session);
                }
                if self.sessions[session].asked.is_none()
                    && let Some(call) = self.call(session, kind, queue, wait)
                {
                    self.ask(session, call);
                }
            }
            Move::Hurry { session } => {
                let request = self.sessions[session].request;
                self.sessions[session].hurried = true;
                let session = self.identifier(session);
                self.apply(Event::Hurried { session, request }).unwrap();
            }
            Move::Look { session } => self.look(session),
            Move::Accept { session } => self.accept(session),
            Move::Leave { session } => self.leave(session),
        }
    }

    fn look(&mut self, session: usize) {
        if std::mem::take(&mut self.sessions[session].looks) {
            let session = self.identifier(session);
            self.apply(Event::Present { session }).unwrap();
        }
    }

    fn accept(&mut self, session: usize) {
        let request = self.sessions[session].request;
        let has_item = self.sessions[session].delivered.is_some();
        let session = self.identifier(session);
        let accepted = self.apply(Event::Accepted { session, request });
        assert_eq!(accepted.is_ok(), has_item, "who has no item cannot accept one");
    }

    fn leave(&mut self, session: usize) {
        let left = std::mem::take(&mut self.sessions[session]).identifier;
        let client = Self::client(session);
        // What it had been delivered and not taken is still inside, in its place.
        self.sessions[session].identifier = CLOSED;
        let last = !(0..self.sessions.len()).any(|other| {
            Self::client(other) == client && self.sessions[other].identifier != CLOSED
        });
        if last {
            for queue in &mut self.queues {
                queue.missing += queue.taken.remove(&client).unwrap_or_default();
            }
        }
        self.apply(Event::Gone { session: SessionId(left) }).unwrap();
    }

    /// Everybody looks and accepts until nothing happens any more.
    fn settle(&mut self) {
        while self.sessions.iter().any(|seen| seen.looks || seen.delivered.is_some()) {
            for session in 0..self.sessions.len() {
                self.look(session);
                if self.sessions[session].delivered.is_some() {
                    self.accept(session);
                }
            }
        }
    }

    /// Nobody waits for what is there.
    fn check_nobody_waits_in_vain(&self) {
        for seen in &self.sessions {
            match &seen.asked {
                None => {}
                Some(Call::Put { queue, .. }) => {
                    let queue = &self.queues[queue.0 as usize];
                    assert_eq!(queue.inside.len(), queue.maxsize as usize, "there is room");
                    assert!(queue.maxsize > 0 && !seen.hurried);
                }
                Some(Call::Get { queue, .. }) => {
                    assert!(self.queues[queue.0 as usize].inside.is_empty(), "an item is there");
                    assert!(!seen.hurried);
                }
                Some(Call::Join { queue, .. }) => {
                    let queue = &self.queues[queue.0 as usize];
                    assert!(queue.unfinished() > queue.missing, "nobody will say task_done");
                    assert!(!seen.hurried);
                }
                Some(call) => panic!("{call:?} waits"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn it_is_a_bounded_queue_whoever_leaves_when((bounds, moves) in moves()) {
        let mut world = World::new(&bounds);
        for action in &moves {
            world.carry_out(action);
        }
        world.settle();
        world.check_nobody_waits_in_vain();
        // Everybody leaves, and one comes who gets what is inside: that and nothing else.
        for session in 0..world.sessions.len() {
            world.leave(session);
        }
        world.open(0);
        for index in 0..QUEUES {
            let queue = QueueId(u32::try_from(index).unwrap());
            while !world.queues[index].inside.is_empty() {
                world.ask(0, Call::Get { queue, wait: false });
                world.settle();
                world.ask(0, Call::TaskDone { queue });
                prop_assert!(world.sessions[0].asked.is_none());
            }
            world.ask(0, Call::Get { queue, wait: false });
            prop_assert!(world.sessions[0].asked.is_none(), "the answer is Empty");
            world.ask(0, Call::Join { queue, wait: true });
            prop_assert!(world.sessions[0].asked.is_none(), "the answer is Done or Missing (G10)");
        }
    }
}

fn apply(state: &mut State, event: Event) -> Vec<Effect> {
    let mut effects = Vec::new();
    state.apply(event, &mut effects).unwrap();
    effects
}

/// One queue and so many sessions, each of a client of its own.
fn with_sessions(sessions: u64, maxsize: u32) -> State {
    of_form(Form::Closed, sessions, maxsize)
}

fn of_form(form: Form, sessions: u64, maxsize: u32) -> State {
    let mut state = State::new(form, 1);
    for session in 0..sessions {
        let (session, client) = (SessionId(session), ClientId(session));
        apply(&mut state, Event::Joined { session, client });
    }
    let (session, call) = (SessionId(0), Call::Create { maxsize });
    apply(&mut state, Event::Asked { session, request: 0, call });
    state
}

const QUEUE: QueueId = QueueId(0);

fn ask(state: &mut State, session: u64, call: Call) -> Vec<Effect> {
    apply(state, Event::Asked { session: SessionId(session), request: 1, call })
}

fn put(state: &mut State, session: u64, byte: u8) -> Vec<Effect> {
    let item = Arc::new(vec![byte]);
    ask(state, session, Call::Put { queue: QUEUE, wait: true, item })
}

fn answer(session: u64, answer: Answer) -> Effect {
    Effect::Answer { session: SessionId(session), request: 1, answer }
}

#[test]
fn h14_an_item_on_its_way_to_a_dead_client_is_the_first_again() {
    let mut state = with_sessions(3, 0);
    ask(&mut state, 1, Call::Get { queue: QUEUE, wait: true });
    ask(&mut state, 2, Call::Get { queue: QUEUE, wait: true });
    put(&mut state, 0, 7);
    let present = |session| Event::Present { session: SessionId(session) };
    assert_eq!(
        apply(&mut state, present(0)),
        [answer(0, Answer::Done), Effect::Look { session: SessionId(1) }]
    );
    let item = Answer::Item(Arc::new(vec![7]));
    assert_eq!(apply(&mut state, present(1)), [answer(1, item.clone())]);
    assert_eq!(
        apply(&mut state, Event::Gone { session: SessionId(1) }),
        [Effect::Look { session: SessionId(2) }]
    );
    assert_eq!(apply(&mut state, present(2)), [answer(2, item)]);
}

#[test]
fn h15_a_put_that_waits_is_not_carried_out_for_a_dead_client() {
    let mut state = with_sessions(3, 1);
    for session in [0, 1] {
        put(&mut state, session, 7);
        apply(&mut state, Event::Present { session: SessionId(session) });
    }
    ask(&mut state, 2, Call::Get { queue: QUEUE, wait: true });
    apply(&mut state, Event::Present { session: SessionId(2) });
    // The slot is free, and the put of 1 is next: it has to look first, and finds nobody.
    assert_eq!(
        apply(&mut state, Event::Accepted { session: SessionId(2), request: 1 }),
        [answer(2, Answer::Done), Effect::Look { session: SessionId(1) }]
    );
    assert_eq!(apply(&mut state, Event::Gone { session: SessionId(1) }), []);
    assert_eq!(
        ask(&mut state, 2, Call::Size { queue: QUEUE }),
        [answer(2, Answer::Size { size: 0, maxsize: 1 })]
    );
}

#[test]
fn who_says_task_done_for_another_is_believed() {
    let mut state = with_sessions(3, 0);
    put(&mut state, 0, 7);
    apply(&mut state, Event::Present { session: SessionId(0) });
    ask(&mut state, 1, Call::Get { queue: QUEUE, wait: true });
    apply(&mut state, Event::Present { session: SessionId(1) });
    apply(&mut state, Event::Accepted { session: SessionId(1), request: 1 });
    // 2 says it for 1 (JQ4), which is not missing then when it leaves.
    assert_eq!(ask(&mut state, 2, Call::TaskDone { queue: QUEUE }), [answer(2, Answer::Done)]);
    put(&mut state, 0, 8);
    apply(&mut state, Event::Present { session: SessionId(0) });
    apply(&mut state, Event::Gone { session: SessionId(1) });
    let join = Call::Join { queue: QUEUE, wait: false };
    assert_eq!(ask(&mut state, 2, join), [answer(2, Answer::Unfinished(1))]);
}

#[test]
fn what_is_out_of_turn_changes_nothing() {
    let mut state = with_sessions(1, 0);
    let get = Call::Get { queue: QUEUE, wait: true };
    assert_eq!(ask(&mut state, 0, get.clone()), []);
    let session = SessionId(0);
    let mut effects = Vec::new();
    for event in [
        Event::Asked { session, request: 2, call: get },
        Event::Accepted { session, request: 1 },
        Event::Joined { session, client: ClientId(5) },
        Event::Accepted { session: SessionId(9), request: 1 },
    ] {
        assert_eq!(state.apply(event, &mut effects), Err(OutOfTurn));
    }
    assert_eq!(effects, []);
    apply(&mut state, Event::Hurried { session, request: 0 });
    assert_eq!(
        apply(&mut state, Event::Hurried { session, request: 1 }),
        [answer(0, Answer::Empty)]
    );
}

#[test]
fn queues_are_bounded_in_number_and_known_by_it() {
    let mut state = with_sessions(1, 0);
    let refused = |refusal| [answer(0, Answer::Refused(refusal))];
    assert_eq!(ask(&mut state, 0, Call::Create { maxsize: 0 }), refused(Refusal::Queues));
    let size = Call::Size { queue: QueueId(1) };
    assert_eq!(ask(&mut state, 0, size), refused(Refusal::NoQueue));
}

fn gone(state: &mut State, session: u64) {
    apply(state, Event::Gone { session: SessionId(session) });
}

fn size(state: &State) -> u64 {
    match state.size(QUEUE) {
        Answer::Size { size, .. } => size,
        other => panic!("{other:?}"),
    }
}

/// `MQ4`: of one item, and only of one.
#[test]
fn h14_the_classic_form_takes_one_item_for_a_dead_client() {
    let mut state = of_form(Form::Classic, 2, 0);
    assert_eq!(ask(&mut state, 1, Call::Get { queue: QUEUE, wait: true }), []);
    gone(&mut state, 1);
    for (byte, inside) in [(7, 0), (8, 1)] {
        put(&mut state, 0, byte);
        assert_eq!(size(&state), inside, "after {byte}");
    }
    assert!(!state.sessions.contains_key(&SessionId(1)), "nothing of it is kept");
}

/// `MQ4`.
#[test]
fn h15_the_classic_form_puts_for_a_dead_client() {
    let mut state = of_form(Form::Classic, 2, 1);
    assert_eq!(put(&mut state, 0, 7), [answer(0, Answer::Done)]);
    assert_eq!(put(&mut state, 1, 8), []);
    gone(&mut state, 1);
    let effects = ask(&mut state, 0, Call::Get { queue: QUEUE, wait: false });
    assert!(effects.contains(&answer(0, Answer::Item(Arc::new(vec![7])))), "{effects:?}");
    assert_eq!(size(&state), 1, "the dead client's");
    assert!(!state.sessions.contains_key(&SessionId(1)), "nothing of it is kept");
}
