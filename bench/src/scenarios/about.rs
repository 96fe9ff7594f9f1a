//! What exactly each scenario times, as the page says it.

pub(super) const REGISTER: &str = "One account: `POST /register` without and then with the answer to what it asks. 4 at once. Most of it is the hash of the password.";
pub(super) const CREATE: &str =
    "`POST /createRoom`, preset private_chat. As many at once as the run says, by as many people.";
pub(super) const JOIN: &str = "`POST /join` of a public local room. As many at once as the run says; those under way at one time are different people in different rooms.";
pub(super) const SEND_MANY_ROOMS: &str = "`PUT …/send/m.room.message` into all rooms of the village in turn. As many at once as the run says, each its own person.";
pub(super) const SEND_ONE_ROOM: &str = "The same into one room.";
pub(super) const FAN_OUT: &str = "From the beginning of a `PUT …/send` to the answer of each other member's long poll. One message at a time; each delivery counts as one.";
pub(super) const FAN_OUT_SOCKET: &str = "The same to listeners on the socket `chat.tern.socket`, which acknowledge each delta; only `ternd` has it.";
pub(super) const INITIAL_SYNC_V3: &str = "`GET /v3/sync` without a token, one after the other, of people who are in all rooms of the village. Each request differs in its timeout, so that none is answered from a cache of responses.";
pub(super) const INITIAL_SYNC_SLIDING: &str = "`POST …/simplified_msc3575/sync` of a new connection: all rooms of the village, 10 events each, own member and name required.";
pub(super) const INITIAL_SYNC_V4: &str =
    "`POST /v4/sync` of a new connection, which asks for the same.";
pub(super) const INITIAL_SYNC_SOCKET: &str = "From a request without a place, on an open socket `chat.tern.socket`, to the delta that answers it; it asks for the same. Only `ternd` has it.";
pub(super) const INCREMENTAL_SYNC_V3: &str = "`GET /v3/sync` with a token after one message in one room of the village, until the answer holds it. Everybody but the sender, one after the other, then the next message; sends are not timed, but the rate and the CPU hold one for each round.";
pub(super) const INCREMENTAL_SYNC_SLIDING: &str =
    "The same on a connection of `simplified_msc3575`.";
pub(super) const INCREMENTAL_SYNC_V4: &str = "The same on a connection of `/v4/sync`.";
pub(super) const INCREMENTAL_SYNC_SOCKET: &str = "The same on the socket `chat.tern.socket`: from the acknowledgement of the delta before, which readers hold back until it is their turn, to the delta with the message. Only `ternd` has it.";
pub(super) const QUIET_USER: &str = "`GET /v3/sync` with the token of the one before, every 5 ms, of somebody in 50 rooms where nothing happens; meanwhile others talk in a room that everybody else is in. For a span of time at each level of noise. There is no CPU each: most of it is the noise's. Only where `--neighbours` says how many people there are.";
pub(super) const PAGES: &str = "`GET …/messages?dir=b&limit=50`, one after the other, backwards through rooms of the village. A server may give fewer.";
pub(super) const FEDERATED_SEND: &str = "From the beginning of a `PUT …/send` on one server to the answer of a long poll on another server of the same kind. One message at a time; CPU and memory are both servers' together.";
pub(super) const FEDERATED_JOIN: &str = "`POST /join` of a public room on another server of the same kind, where the village lives; a room nobody of the joining server is in, servers that know each other. CPU and memory are both servers' together.";
pub(super) const FEDERATED_JOIN_LARGE: &str = "The same where each room has many members.";
pub(super) const IDLE: &str = "Long polls that wait for something new in a room where nothing happens; then one message to a room of 10 people who have one of these connections each. The server is started anew before, where the bench may, so that no memory freed earlier is used again; what its first tenth of connections cost (code that is used for the first time, connections to the database) is told apart.";
pub(super) const IDLE_SOCKET: &str = "The same on the socket `chat.tern.socket`, whose connections the server keeps the place of; only `ternd` has it.";
pub(super) const STORAGE: &str = "The growth of the database's files, closed before and after, over messages sent to the rooms of the village.";
pub(super) const RESTART: &str = "An orderly stop, then from the start of the process to the first answer, then one person's first sync.";
