//! What is said in `wardwire.v1`. Made from spec/openrpc.json by `cargo xtask spec`. Edit that file.

use std::borrow::Cow;

use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::value::RawValue;

use super::{Parameter, Parameters, optional};

/// What a client may call.
pub const METHODS: [&str; 7] = [
    "subscribe",
    "unsubscribe",
    "publish",
    "history",
    "presence",
    "refresh",
    "ping",
];

/// What `subscribe` takes.
#[derive(Deserialize)]
pub struct SubscribeParams<'a> {
    /// Which channel.
    #[serde(borrow)]
    pub channel: Cow<'a, str>,
    /// The last position that was read; what came after it is asked for.
    #[serde(borrow, default, deserialize_with = "optional::text")]
    pub since: Option<Cow<'a, str>>,
    /// A signed grant of this channel to this user, in channels whose rules say `"granted"`. One that does not hold is an error, whatever else the user may.
    #[serde(borrow, default, deserialize_with = "optional::text")]
    pub grant: Option<Cow<'a, str>>,
}

impl<'a> Parameters<'a> for SubscribeParams<'a> {
    const ALL: &'static [Parameter] = &[
        Parameter::required::<String>("channel"),
        Parameter::optional::<Option<String>>("since"),
        Parameter::optional::<Option<String>>("grant"),
    ];
}

/// What `subscribe` comes to.
#[derive(Serialize)]
pub struct SubscribeResult<'a> {
    /// Which channel, as it was asked for.
    pub channel: Cow<'a, str>,
    /// The channel's end. What comes from now on comes after it.
    pub position: Cow<'a, str>,
    /// Whether `publications` is everything after `since`, in a conflated channel the newest of each key. False without `since`.
    pub recovered: bool,
    /// What was missed, oldest first. Where `recovered` is false, the latest value of a channel that keeps one, or of each of its keys.
    pub publications: Vec<&'a RawValue>,
    /// The channel keeps the latest of each key: who reads slowly gets that, and not everything.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub conflated: bool,
    /// There are values of more keys than are in `publications`, which are the newest: of the others each comes when it is published anew.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// What `unsubscribe` takes.
#[derive(Deserialize)]
pub struct UnsubscribeParams<'a> {
    /// Which channel.
    #[serde(borrow)]
    pub channel: Cow<'a, str>,
}

impl<'a> Parameters<'a> for UnsubscribeParams<'a> {
    const ALL: &'static [Parameter] = &[Parameter::required::<String>("channel")];
}

/// What `publish` takes.
#[derive(Deserialize)]
pub struct PublishParams<'a> {
    /// Where.
    #[serde(borrow)]
    pub channel: Cow<'a, str>,
    /// What, as JSON. Either this or `base64`.
    #[serde(borrow, default, deserialize_with = "optional::raw")]
    pub data: Option<&'a RawValue>,
    /// What, as bytes, in channels that take bytes.
    #[serde(borrow, default, deserialize_with = "optional::text")]
    pub base64: Option<Cow<'a, str>>,
    /// What the publisher calls it. The same publisher's id in the same channel is published once within five minutes, whatever a repetition says; one that was refused counts for nothing. Without a credential a publisher is its socket.
    #[serde(borrow, default, deserialize_with = "optional::text")]
    pub id: Option<Cow<'a, str>>,
    /// Whether it is not delivered to this very socket, which learns the position from the answer. The user's other sockets get it all the same.
    #[serde(rename = "noEcho")]
    #[serde(default)]
    pub no_echo: bool,
}

impl<'a> Parameters<'a> for PublishParams<'a> {
    const ALL: &'static [Parameter] = &[
        Parameter::required::<String>("channel"),
        Parameter::optional::<IgnoredAny>("data"),
        Parameter::optional::<Option<String>>("base64"),
        Parameter::optional::<Option<String>>("id"),
        Parameter::optional::<bool>("noEcho"),
    ];
}

/// What `publish` comes to.
#[derive(Serialize)]
pub struct PublishResult<'a> {
    /// Where it stands.
    pub position: Cow<'a, str>,
    /// It had been published before, and stands where it did: nothing was published now.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}

/// What `history` takes.
#[derive(Deserialize)]
pub struct HistoryParams<'a> {
    /// Which channel.
    #[serde(borrow)]
    pub channel: Cow<'a, str>,
    /// The oldest after this position. Not beside `before`.
    #[serde(borrow, default, deserialize_with = "optional::text")]
    pub after: Option<Cow<'a, str>>,
    /// The newest before this position.
    #[serde(borrow, default, deserialize_with = "optional::text")]
    pub before: Option<Cow<'a, str>>,
    /// The most publications. 50 if it is not there.
    #[serde(default)]
    pub limit: Option<u64>,
}

impl<'a> Parameters<'a> for HistoryParams<'a> {
    const ALL: &'static [Parameter] = &[
        Parameter::required::<String>("channel"),
        Parameter::optional::<Option<String>>("after"),
        Parameter::optional::<Option<String>>("before"),
        Parameter::optional::<Option<u64>>("limit"),
    ];
}

/// What `history` comes to.
#[derive(Serialize)]
pub struct HistoryResult<'a> {
    /// Oldest first, without a gap among them.
    pub publications: Vec<&'a RawValue>,
    /// The channel's end.
    pub position: Cow<'a, str>,
    /// There are further ones in that direction.
    pub more: bool,
    /// False where something is missing between the position asked for and these, or beyond them: it is no longer kept, or the position is of another epoch.
    pub complete: bool,
}

/// What `presence` takes.
#[derive(Deserialize)]
pub struct PresenceParams<'a> {
    /// Which channel.
    #[serde(borrow)]
    pub channel: Cow<'a, str>,
    /// Whether nobody is named.
    #[serde(rename = "countOnly")]
    #[serde(default)]
    pub count_only: bool,
}

impl<'a> Parameters<'a> for PresenceParams<'a> {
    const ALL: &'static [Parameter] = &[
        Parameter::required::<String>("channel"),
        Parameter::optional::<bool>("countOnly"),
    ];
}

/// What `presence` comes to.
#[derive(Serialize)]
pub struct PresenceResult<'a> {
    /// How many members.
    pub count: u64,
    /// How many sockets of nobody in particular.
    pub anonymous: u64,
    /// At most 100, in the order of their names.
    pub members: Vec<Member<'a>>,
    /// There are more than are named.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// What `refresh` takes.
#[derive(Deserialize)]
pub struct RefreshParams<'a> {
    /// The access token, as it would stand behind `Bearer`.
    #[serde(borrow)]
    pub token: Cow<'a, str>,
}

impl<'a> Parameters<'a> for RefreshParams<'a> {
    const ALL: &'static [Parameter] = &[Parameter::required::<String>("token")];
}

/// What `refresh` comes to.
#[derive(Serialize)]
pub struct RefreshResult {
    /// When the socket ends, unless it is refreshed again: seconds since 1970 (UTC).
    pub expires_at: u64,
}

/// Somebody published in a channel that this socket follows.
#[derive(Serialize)]
pub struct PublicationNotice<'a> {
    /// Which channel.
    pub channel: Cow<'a, str>,
    /// What was published, as JSON. Either this is there or `base64`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<&'a RawValue>,
    /// What was published, as bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base64: Option<Cow<'a, str>>,
    /// Where it stands.
    pub position: Cow<'a, str>,
    /// Who published it.
    pub from: Option<Cow<'a, str>>,
    /// What its publisher called it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Cow<'a, str>>,
}

/// Whose the socket is.
#[derive(Serialize)]
pub struct WelcomeNotice<'a> {
    /// The user, as `from` of a publication would name them.
    pub handle: Cow<'a, str>,
}

/// Members are in the channel who were not, or something else is told beside them.
#[derive(Serialize)]
pub struct JoinedNotice<'a> {
    /// Which channel.
    pub channel: Cow<'a, str>,
    /// Who.
    pub members: Vec<Member<'a>>,
    /// They are more than a hundred, or some 32 KiB, and none is named. `presence` names some.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// How many members there are now.
    pub count: u64,
}

/// Members are in the channel no longer.
#[derive(Serialize)]
pub struct LeftNotice<'a> {
    /// Which channel.
    pub channel: Cow<'a, str>,
    /// Who.
    pub members: Vec<Member<'a>>,
    /// They are more than a hundred, or some 32 KiB, and none is named. `presence` names some.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// How many members there are now.
    pub count: u64,
}

/// Something was left out.
#[derive(Serialize)]
pub struct LaggedNotice<'a> {
    /// Which channel.
    pub channel: Cow<'a, str>,
    /// Up to where.
    pub position: Cow<'a, str>,
}

/// The proof on which the socket stands ends soon.
#[derive(Serialize)]
pub struct ExpiringNotice {
    /// When it ends, in seconds since 1970.
    pub expires_at: u64,
}

/// A channel is followed no longer, as the right to it was lost.
#[derive(Serialize)]
pub struct RevokedNotice<'a> {
    /// Which channel.
    pub channel: Cow<'a, str>,
    /// Why: `rights`, of the user and the rules as they are now, do not allow it; `expired`: the grant that did has ended, and with a fresh one it can be followed again.
    pub reason: RevokedNoticeReason,
}

/// Why: `rights`, of the user and the rules as they are now, do not allow it; `expired`: the grant that did has ended, and with a fresh one it can be followed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RevokedNoticeReason {
    /// `rights`
    Rights,
    /// `expired`
    Expired,
}

/// `error.data`: what a program can go by beside the code. Members that are not known are to be passed over.
#[derive(Serialize)]
pub struct ErrorData<'a> {
    /// The code's stable name.
    pub word: Cow<'a, str>,
    /// The rule that was broken: as the channel's schema calls it, or with -32004 `depth`, `duplicate-key`, `forbidden-key`, `number` or `surrogate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keyword: Option<Cow<'a, str>>,
    /// A JSON Pointer (RFC 6901) to what is wrong: with -32602 into the parameters, else into `data`; the empty text is all of it. Where it would be longer than 256 bytes, it points to what is around the place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<Cow<'a, str>>,
    /// In seconds, with a fraction: the same call may succeed after so long. Always there with -32002.
    #[serde(rename = "retryAfter")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<f64>,
}

/// Somebody who follows a channel.
#[derive(Serialize)]
pub struct Member<'a> {
    /// Who: as `from` of a publication would name them.
    pub from: Cow<'a, str>,
    /// What the channel's rules tell beside it: claims that are strings, numbers, `true` or `false`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub info: Option<&'a RawValue>,
}

/// A publication, as a list about one channel holds it.
#[derive(Serialize)]
pub struct Publication<'a> {
    /// Where it stands.
    pub position: Cow<'a, str>,
    /// Who published it.
    pub from: Option<Cow<'a, str>>,
    /// What was published, as bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base64: Option<Cow<'a, str>>,
    /// What was published, as JSON. Either this is there or `base64`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<&'a RawValue>,
    /// What its publisher called it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Cow<'a, str>>,
}
