//! The market's prices: fifty instruments that wander, published as any backend would, each twenty times a second.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
    time::Duration,
};

use serde_json::value::RawValue;
use tokio::time::{MissedTickBehavior, interval};
use wardwire_admission::principal::Principal;
use wardwire_hub::{Hub, Member, fanout::SocketKey};
use wardwire_protocol::channel::ChannelName;

const CHANNEL: &str = "market/prices";
const EVERY: Duration = Duration::from_millis(50);

/// Invented, four letters each.
const SYMBOLS: &str = "ALDA ARBO BARK BIRO CALO CEDR CIRR COVE DELT DORA ELMA EMBR FARO FERN FLUX GALE GLEN HALO HAVN IRIS \
    JUNO KELP KITE LARK LUMA LYRA MEDO MIRA MOSS NAVI NOVA OAKS ONYX OPAL ORCA PERL PINE QUAY REEF RUNE SAGE SOLA TALO TERN \
    TIDE UMBR VALE VEGA WREN ZEPH";

/// Publishes until the runtime ends, while any channel lives at all.
pub(super) fn start(hub: Arc<Hub>, publisher: Principal) {
    let Ok(channel) = ChannelName::parse(CHANNEL) else {
        return;
    };
    tokio::spawn(async move {
        // It follows nothing, so no socket of this key is ever looked for.
        let member = hub.join(publisher, SocketKey(u64::MAX), None);
        let mut market = Market::open();
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            if hub.count() > 0 {
                market.tick(&member, &channel);
            }
        }
    });
}

struct Market {
    instruments: Vec<Instrument>,
    random: u64,
}

struct Instrument {
    symbol: &'static str,
    /// What it costs in the long run.
    worth: f64,
    price: f64,
}

impl Market {
    fn open() -> Self {
        let random = RandomState::new().hash_one(CHANNEL) | 1;
        let mut market = Self {
            instruments: Vec::new(),
            random,
        };
        for symbol in SYMBOLS.split_whitespace() {
            let worth = 20.0 + 380.0 * market.fraction();
            market.instruments.push(Instrument {
                symbol,
                worth,
                price: worth,
            });
        }
        market
    }

    /// What cannot be published is left out: the next one comes soon.
    fn tick(&mut self, member: &Member, channel: &ChannelName) {
        for at in 0..self.instruments.len() {
            let step = self.fraction() - 0.5;
            let Some(it) = self.instruments.get_mut(at) else {
                return;
            };
            it.price += it.worth * step * 0.004 + (it.worth - it.price) * 0.002;
            if let Ok(data) = RawValue::from_string(it.data()) {
                drop(member.publish(channel, &data, None, None));
            }
        }
    }

    /// From 0 up to 1 (xorshift64*, S. Vigna): nothing depends on it.
    fn fraction(&mut self) -> f64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let upper = self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32;
        f64::from(u32::try_from(upper).unwrap_or_default()) / 4_294_967_296.0
    }
}

impl Instrument {
    fn data(&self) -> String {
        let Self {
            symbol,
            price,
            worth,
        } = self;
        let change = (price / worth - 1.0) * 100.0;
        format!(r#"{{"symbol":"{symbol}","price":{price:.2},"change":{change:.2}}}"#)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_instruments_of_different_names_stay_near_what_they_are_worth() {
        let mut market = Market::open();
        let mut names: Vec<_> = market.instruments.iter().map(|it| it.symbol).collect();
        names.dedup();
        assert_eq!(names.len(), 50);
        assert!(names.iter().all(|name| name.len() == 4));
        for _ in 0..1000 {
            assert!((0.0..1.0).contains(&market.fraction()));
        }
        let written: serde_json::Value =
            serde_json::from_str(&market.instruments[0].data()).unwrap();
        assert_eq!(written["symbol"], "ALDA");
        assert_eq!(written["change"].as_f64(), Some(0.0));
    }
}
