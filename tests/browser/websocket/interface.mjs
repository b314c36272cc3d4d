// The interface itself: constants, attributes, methods, what is on the prototype and what is not.

export default {
  'constants, on the class and on the prototype': {
    wpt: ['constants', 'interfaces/WebSocket/constants/*', 'idlharness'],
    of({ Socket }) {
      const names = ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'];
      return [Socket, Socket.prototype].map((holder) => names.map((name) => Object.getOwnPropertyDescriptor(holder, name)));
    },
  },
  'constants cannot be set or deleted': {
    wpt: ['interfaces/WebSocket/constants/002 to 006'],
    of({ Socket }, { outcome }) {
      const holders = [Socket, Socket.prototype];
      return holders.map((holder) => [outcome(() => (holder.OPEN = 5)), Reflect.set(holder, 'OPEN', 5), Reflect.deleteProperty(holder, 'OPEN'), holder.OPEN]);
    },
  },
  'attributes are accessors of the prototype': {
    wpt: ['idlharness', 'interfaces/WebSocket/*/001'],
    of({ Socket }) {
      const names = ['url', 'readyState', 'bufferedAmount', 'extensions', 'protocol', 'binaryType', 'onopen', 'onmessage', 'onerror', 'onclose'];
      return names.map((name) => {
        const { get, set, enumerable, configurable } = Object.getOwnPropertyDescriptor(Socket.prototype, name) ?? {};
        return [name, typeof get, typeof set, enumerable, configurable, get?.name, set?.name];
      });
    },
  },
  'methods of the prototype': {
    wpt: ['idlharness', 'interfaces/WebSocket/send/001 to 004', 'interfaces/WebSocket/close/*'],
    of({ Socket }) {
      return ['send', 'close'].map((name) => {
        const { value, writable, enumerable, configurable } = Object.getOwnPropertyDescriptor(Socket.prototype, name);
        return [value.name, value.length, writable, enumerable, configurable];
      });
    },
  },
  'the class': {
    wpt: ['idlharness', 'interfaces/WebSocket/events/*'],
    of: ({ Socket }) => [Socket.length, Object.getPrototypeOf(Socket) === EventTarget, Object.getPrototypeOf(Socket.prototype) === EventTarget.prototype, Socket.prototype.constructor === Socket, Object.keys(Object.getOwnPropertyDescriptor(Socket, 'prototype')), Object.getOwnPropertyDescriptor(Socket, 'prototype').writable],
  },
  'what an instance holds by itself, and what a loop over it finds': {
    wpt: ['idlharness'],
    async of({ Socket }, { nowhere }) {
      const socket = new Socket(nowhere);
      const found = [];
      for (const name in socket) found.push(name);
      socket.close();
      // Ours has one attribute more, which is named as a difference.
      return [Object.getOwnPropertyNames(socket).filter((name) => name !== 'isTrusted'), found.filter((name) => name !== 'refusal').sort()];
    },
  },
  'attributes that are read only': {
    wpt: ['interfaces/WebSocket/readyState/003', 'interfaces/WebSocket/url/*', 'interfaces/WebSocket/bufferedAmount/*', 'interfaces/WebSocket/protocol/*', 'interfaces/WebSocket/extensions/*'],
    async of({ Socket }, { nowhere, outcome }) {
      const socket = new Socket(nowhere);
      const names = ['url', 'readyState', 'bufferedAmount', 'extensions', 'protocol', 'OPEN'];
      const strict = names.map((name) => outcome(() => {
        'use strict';
        socket[name] = 7;
      }));
      const all = [strict, names.map((name) => [Reflect.set(socket, name, 7), Reflect.deleteProperty(socket, name), socket[name]])];
      socket.close();
      return all;
    },
  },
  'methods and attributes asked of something else': {
    wpt: ['idlharness'],
    of({ Socket }, { outcome }) {
      const getter = (name) => Object.getOwnPropertyDescriptor(Socket.prototype, name).get;
      const names = ['url', 'readyState', 'bufferedAmount', 'extensions', 'protocol', 'binaryType', 'onopen'];
      return [...names.map((name) => outcome(() => getter(name).call({}))), outcome(() => Socket.prototype.send.call({}, 'x')), outcome(() => Socket.prototype.close.call({}))];
    },
  },
  'its name': {
    wpt: ['idlharness'],
    of({ Socket }) {
      const { value, ...how } = Object.getOwnPropertyDescriptor(Socket.prototype, Symbol.toStringTag);
      return [Socket.name, value].map((name) => name.replace('Secure', '')).concat(Object.values(how));
    },
  },
  'without new': {
    wpt: ['constructor/001', 'idlharness'],
    of: ({ Socket }, { outcome, nowhere }) => outcome(() => Socket(nowhere)),
  },
  'a class that extends it': {
    wpt: ['idlharness'],
    async of({ Socket }, { nowhere, next }) {
      class Mine extends Socket {
        get mine() {
          return this.readyState;
        }
      }
      const socket = new Mine(nowhere);
      const all = [socket instanceof Socket, socket.mine, Mine.CLOSED];
      socket.close();
      await next(socket, 'close');
      return [...all, socket.mine];
    },
  },
};
