//! One socket's place in the hub: whose it is, and what it follows.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::{Duration, Instant},
};

use wardwire_admission::{clock::Timestamp, principal::Principal, token::Terms};
use wardwire_protocol::{channel::ChannelName, deflate::Encoding};

use crate::{
    Hub, HubError, Position, Published, Rules, Seat, Subscribed,
    audience::Audience,
    channel::Channel,
    engine::{Answer, Attendant, Keep, Limit, Page, Present, Range},
    fanout::{Fanout, Origin, SocketKey},
    guard::{self, Payload},
    join::Joining,
    once::{PublicationId, Publisher},
    outbox::Outbox,
    rights::{Action, ChannelGrant, ChannelRule, Presence, Standing},
};

/// Whose sockets count together.
#[derive(Hash)]
enum Who<'a> {
    User(&'a str, &'a str),
    At(IpAddr),
    Anybody,
}

impl<'a> Who<'a> {
    fn of(principal: &'a Principal) -> Self {
        match principal.identity() {
            Some(identity) => Self::User(&identity.issuer, &identity.subject),
            None => Self::Anybody,
        }
    }
}

/// A whole IPv6 /64 is one household's or host's.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) >> 64 << 64).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// One socket's place in the hub.
///
/// It gets its own publications too, where it follows the channel it publishes to.
/// INVARIANT: it is used with the side of one loop only, and leaves before it is dropped.
pub struct Member {
    hub: Arc<Hub>,
    /// Those that held when it was last judged.
    rules: Arc<Rules>,
    socket: SocketKey,
    encoding: Option<Encoding>,
    standing: Standing,
    /// Tells it from all others of this process.
    number: u64,
    subscriptions: Vec<Arc<Channel>>,
    /// What stands for whose it is, all their sockets together.
    who: u64,
}

impl Member {
    pub(crate) fn new(
        hub: Arc<Hub>,
        socket: SocketKey,
        encoding: Option<Encoding>,
        principal: Principal,
    ) -> Self {
        let rules = hub.rules();
        let who = hub.identities.key(Who::of(&principal));
        Self {
            number: hub.number(),
            hub,
            rules,
            socket,
            encoding,
            standing: principal.into(),
            subscriptions: Vec::new(),
            who,
        }
    }

    /// Of a socket without a credential: it counts with all others of its address, of which an IPv6 /64 is one.
    #[must_use]
    pub fn from_address(mut self, address: Option<IpAddr>) -> Self {
        if let (Principal::Anonymous, Some(address)) = (self.standing.principal(), address) {
            self.who = self.hub.identities.key(Who::At(network(address)));
        }
        self
    }

    /// Takes a call of so many bytes from what all sockets of this identity may ask together.
    ///
    /// # Errors
    /// It is too much: the time after which it is not.
    pub fn spend(&self, bytes: usize, now: Instant) -> Result<(), Duration> {
        let rate = &self.rules.limits.identity;
        self.hub.identities.take(self.who, rate, bytes, now)
    }

    /// Finds a place among a channel's followers, to be [taken](Self::join). With `since`, what was missed comes first, or the
    /// answer says that it cannot: also to who may not read what is kept, as anybody can say since when they followed.
    ///
    /// # Errors
    /// No right, subscribed already, or a limit; or the engine does not answer.
    pub fn subscribe(
        &self,
        fanout: &Fanout,
        name: &ChannelName,
        since: Option<Position>,
    ) -> Answer<Result<Seat, HubError>> {
        match self.begin(fanout.number(), name, since) {
            Ok(joining) => Answer::of(joining),
            Err(error) => Answer::Now(Err(error)),
        }
    }

    fn begin(
        &self,
        number: usize,
        name: &ChannelName,
        since: Option<Position>,
    ) -> Result<Joining, HubError> {
        // The right comes first, so that the answer without it says nothing of what there is.
        let keep = self.may_join(name)?;
        let since = since.filter(|_| self.may(Action::History, name).is_ok());
        let limits = &self.rules.limits;
        loop {
            let channel = self.hub.open(name, keep, &self.standing, limits)?;
            let latest = keep.latest;
            if let Some(it) = Joining::new(channel, number, since, latest, limits.recovery) {
                return Ok(it);
            }
        }
    }

    /// Takes a place: the channel is followed from now on. What was asked before it was found is asked again, as meanwhile a
    /// right may have gone.
    ///
    /// # Errors
    /// As for [`subscribe`](Self::subscribe); or no more can be present in the channel.
    pub fn join(&mut self, seat: Seat, fanout: &mut Fanout) -> Result<Subscribed, HubError> {
        self.may_join(&seat.channel.name)?;
        // First, as nobody follows unseen where it is told who does. Its seat is given up if there is no room.
        self.look(fanout, &seat.channel);
        if let Err(error) = self.attend(&seat.channel) {
            self.depart(fanout, &seat.channel);
            return Err(error);
        }
        let (channel, after, subscribed) = seat.take();
        fanout.follow(channel.number, self.socket, self.encoding, after);
        // A socket mostly follows one channel.
        self.subscriptions.reserve_exact(1);
        self.subscriptions.push(channel);
        Ok(subscribed)
    }

    /// Is told who is present in a channel that it follows, as the rules have it now. False if it is not any more but was.
    fn look(&self, fanout: &mut Fanout, channel: &Channel) -> bool {
        if self.presence_in(channel).is_none() {
            return !self.depart(fanout, channel);
        }
        let audience = self.hub.audience(channel);
        if self.may(Action::Presence, &channel.name).is_err() {
            return !self.look_away(fanout, audience);
        }
        if fanout.follow(audience.number, self.socket, self.encoding, 0) {
            audience.seen(fanout.number(), true);
        }
        true
    }

    /// Is present in a channel that it follows, as the rules have it now. Whoever [looks](Self::look) before hears of itself too,
    /// and so of what others are told of it.
    fn attend(&self, channel: &Channel) -> Result<(), HubError> {
        let Some(presence) = self.presence_in(channel) else {
            return Ok(());
        };
        let principal = self.standing.principal();
        let attendant = Attendant {
            socket: self.id(),
            from: principal.handle().map(Into::into),
            info: presence.info_of(principal),
        };
        let entered = self.hub.audience(channel).enter(attendant, Instant::now());
        entered.inspect_err(|_| self.hub.turned_away(1))
    }

    fn presence_in(&self, channel: &Channel) -> Option<&Presence> {
        let rule = self.rules.channels.rule(&channel.name)?;
        rule.presence.as_ref()
    }

    /// True if it was told who is here.
    fn look_away(&self, fanout: &mut Fanout, audience: &Audience) -> bool {
        let told = fanout.leave(audience.number, self.socket, self.encoding);
        if told {
            audience.seen(fanout.number(), false);
        }
        told
    }

    /// Is present no longer. True if it was told who is.
    fn depart(&self, fanout: &mut Fanout, channel: &Channel) -> bool {
        let Some(audience) = channel.audience() else {
            return false;
        };
        audience.leave(self.id(), Instant::now());
        self.look_away(fanout, audience)
    }

    /// Tells it from the sockets of all processes.
    fn id(&self) -> u128 {
        u128::from(self.hub.loops.process) << 64 | u128::from(self.number)
    }

    /// What is kept of the channel, if it may be followed now.
    fn may_join(&self, name: &ChannelName) -> Result<Keep, HubError> {
        let keep = self.may(Action::Subscribe, name)?.keep();
        if self.place(name).is_some() {
            return Err(HubError::Subscription);
        }
        if self.subscriptions.len() >= self.rules.limits.subscriptions {
            return Err(HubError::Limit);
        }
        Ok(keep)
    }

    /// Stops following a channel, and takes back what of it was not sent yet: who comes back with a position would get it
    /// twice.
    ///
    /// # Errors
    /// Not subscribed.
    pub fn unsubscribe(
        &mut self,
        fanout: &mut Fanout,
        outbox: &mut Outbox,
        name: &ChannelName,
    ) -> Result<(), HubError> {
        let at = self.place(name).ok_or(HubError::Subscription)?;
        let channel = self.subscriptions.swap_remove(at);
        withdraw(outbox, &channel);
        self.leave_one(fanout, &channel);
        self.forget(name);
        Ok(())
    }

    /// Publishes, if the guard clears it. A follower gets its own publications too, but for those that are published
    /// [except](Self::origin) to it: of them it learns the position here, and has no gap where it does not get them. With an id
    /// it publishes once within [five minutes](crate::engine::Once::WINDOW), whatever the repetition says.
    ///
    /// # Errors
    /// No right, too much, not what the channel takes, or a limit. Nothing that is refused uses up an id.
    pub fn publish<'a>(
        &self,
        name: &ChannelName,
        payload: impl Into<Payload<'a>>,
        id: Option<PublicationId<'_>>,
        except: Option<Origin>,
    ) -> Answer<Result<Published, HubError>> {
        let rules = &*self.rules;
        let (rates, now) = (&self.hub.rates, Instant::now());
        let cleared = guard::clear(
            &rules.channels,
            &self.standing,
            name,
            payload.into(),
            rates,
            now,
        );
        match cleared {
            Ok(cleared) => {
                let id = id.map(|id| (id, self.publisher()));
                self.hub.publish(cleared, id, except, &rules.limits, now)
            }
            Err(error) => Answer::Now(Err(error)),
        }
    }

    /// Reads what is kept of a channel, whether it is followed or not.
    ///
    /// # Errors
    /// No right, or the engine does not answer.
    pub fn history(
        &self,
        name: &ChannelName,
        range: Range,
        limit: Limit,
    ) -> Answer<Result<Page, HubError>> {
        match self.may(Action::History, name) {
            Ok(rule) => self.hub.history(name, rule.keep(), range, limit),
            Err(error) => Answer::Now(Err(error)),
        }
    }

    /// Says who is in a channel, whether it is followed or not, and names so many.
    ///
    /// # Errors
    /// No right, or the engine does not answer.
    pub fn presence(&self, name: &ChannelName, most: usize) -> Answer<Result<Present, HubError>> {
        match self.may(Action::Presence, name) {
            Ok(_) => self.hub.presence(name, most),
            Err(error) => Answer::Now(Err(error)),
        }
    }

    fn publisher(&self) -> Publisher<'_> {
        Publisher {
            standing: &self.standing,
            socket: (self.hub.loops.process, self.number),
            who: self.who,
        }
    }

    /// How others are told who it is, unless anonymous.
    #[must_use]
    pub fn handle(&self) -> Option<&str> {
        self.standing.principal().handle()
    }

    /// The socket among all others, the same user's too, for what it publishes and does not want back.
    #[must_use]
    pub fn origin(&self, fanout: &Fanout) -> Origin {
        fanout.origin(self.socket)
    }

    /// Takes a grant for a channel that is to be followed. False if it is followed already.
    pub fn show(&mut self, grant: ChannelGrant) -> bool {
        let is_new = self.place(grant.channel()).is_none();
        if is_new {
            self.standing.show(grant);
        }
        is_new
    }

    /// Forgets what was shown for a channel, unless it came to be followed.
    pub fn forget(&mut self, name: &ChannelName) {
        if self.place(name).is_none() {
            self.standing.retain(|it| it.channel() != name);
        }
    }

    /// When the first grant that it has shown ends.
    #[must_use]
    pub fn granted_until(&self) -> Timestamp {
        self.standing.until()
    }

    /// Lives on without the grants that have ended by now, and leaves the channels that only these gave, as [below](Self::renew).
    pub fn expire(
        &mut self,
        fanout: &mut Fanout,
        outbox: &mut Outbox,
        now: Timestamp,
    ) -> Vec<ChannelName> {
        self.standing.retain(|it| it.terms().until > now);
        self.leave_lost(fanout, outbox)
    }

    /// Stands on a fresh proof from now on, leaves the channels to which it gives no right, and takes back what of them was
    /// not sent yet. Returns their names.
    pub fn renew(
        &mut self,
        fanout: &mut Fanout,
        outbox: &mut Outbox,
        principal: Principal,
    ) -> Vec<ChannelName> {
        self.standing.renew(principal);
        self.leave_lost(fanout, outbox)
    }

    /// Stands under the rules that hold now, with the grants that are upheld, and leaves the channels to which these give no right
    /// any more, as above. Returns their names.
    pub fn rejudge(
        &mut self,
        fanout: &mut Fanout,
        outbox: &mut Outbox,
        uphold: impl Fn(&Terms, &Principal) -> bool,
    ) -> Vec<ChannelName> {
        let rules = self.hub.rules();
        // Nothing has changed by which it was judged: it is others whose grants were taken back.
        if Arc::ptr_eq(&rules, &self.rules) && !self.standing.has_shown() {
            return Vec::new();
        }
        self.rules = rules;
        let holder = self.standing.principal().clone();
        self.standing.retain(|it| uphold(it.terms(), &holder));
        self.leave_lost(fanout, outbox)
    }

    fn leave_lost(&mut self, fanout: &mut Fanout, outbox: &mut Outbox) -> Vec<ChannelName> {
        let all = std::mem::take(&mut self.subscriptions);
        let (kept, lost): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|channel| self.may(Action::Subscribe, &channel.name).is_ok());
        self.subscriptions = kept;
        for channel in &lost {
            withdraw(outbox, channel);
            self.leave_one(fanout, channel);
            self.forget(&channel.name);
        }
        for channel in &self.subscriptions {
            if !self.look(fanout, channel)
                && let Some(audience) = channel.audience()
            {
                outbox.withdraw(audience.number);
            }
            // It follows already. Where it does not fit, that is counted, and it is present as soon as it does.
            let _ = self.attend(channel);
        }
        lost.iter().map(|channel| channel.name.clone()).collect()
    }

    /// Leaves every channel.
    pub fn leave(&mut self, fanout: &mut Fanout) {
        for channel in std::mem::take(&mut self.subscriptions) {
            self.leave_one(fanout, &channel);
        }
    }

    fn leave_one(&self, fanout: &mut Fanout, channel: &Arc<Channel>) {
        self.depart(fanout, channel);
        fanout.leave(channel.number, self.socket, self.encoding);
        channel.leave(fanout.number());
        self.hub.tidy(channel, Instant::now());
    }

    fn place(&self, name: &ChannelName) -> Option<usize> {
        self.subscriptions
            .iter()
            .position(|channel| channel.name == *name)
    }

    /// The rule that decides for a channel, if it lets this socket do that there.
    ///
    /// # Errors
    /// No right, or no such channel: the answer is the same, and existence is never looked up.
    pub fn may(&self, action: Action, name: &ChannelName) -> Result<&ChannelRule, HubError> {
        let verdict = self.rules.channels.verdict(&self.standing, name, action);
        verdict.ok_or(HubError::Forbidden)
    }
}

/// Takes back what came through a channel and was not sent yet.
fn withdraw(outbox: &mut Outbox, channel: &Channel) {
    outbox.withdraw(channel.number);
    if let Some(audience) = channel.audience() {
        outbox.withdraw(audience.number);
    }
}
