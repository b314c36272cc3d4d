// Events, their handlers, and what a message is given as.

export default {
  'what an event is': {
    wpt: ['interfaces/WebSocket/events/001 to 020', 'interfaces/CloseEvent/*', 'opening-handshake/*'],
    async of(side, { next }) {
      const about = (event) => {
        const { type, bubbles, cancelable, composed, defaultPrevented, eventPhase, returnValue } = event;
        const { data, origin, lastEventId, ports, source, code, reason, wasClean } = event;
        const prototype = Object.getPrototypeOf(event);
        return [type, bubbles, cancelable, composed, defaultPrevented, eventPhase, returnValue, data, origin, lastEventId, ports?.length, source, code, reason, wasClean, prototype.constructor.name, event.target === socket, event.currentTarget === socket, event.srcElement === socket, event.composedPath().length, typeof event.timeStamp];
      };
      const seen = [];
      let socket = await side.dial();
      for (const name of ['open', 'message', 'close']) socket.addEventListener(name, (event) => seen.push(about(event)));
      await next(socket, 'open');
      socket.send('x');
      await next(socket, 'message');
      socket.close(3000, 'grüße');
      await next(socket, 'close');
      socket = await side.dial();
      for (const name of ['error', 'close']) socket.addEventListener(name, (event) => seen.push(about(event)));
      socket.close();
      await next(socket, 'close');
      return seen;
    },
  },
  'handlers that are no functions': {
    wpt: ['eventhandlers', 'interfaces/WebSocket/events/*'],
    async of({ dial }) {
      const socket = await dial();
      const object = { handleEvent() {} };
      const kinds = [null, undefined, 5, 'text', true, Symbol('x'), object, {}, [], () => 1];
      const all = ['onopen', 'onmessage', 'onerror', 'onclose'].map((name) =>
        kinds.map((kind) => {
          socket[name] = kind;
          return [typeof socket[name], socket[name] === kind];
        }),
      );
      socket.close();
      return all;
    },
  },
  'a handler that is an object': {
    wpt: ['eventhandlers'],
    async of(side, { open, echo }) {
      const socket = await open(side);
      const told = [];
      socket.onmessage = { handleEvent: () => told.push('handler') };
      socket.addEventListener('message', { handleEvent: (event) => told.push(['listener', event.data]) });
      await echo(socket, 'x');
      return told;
    },
  },
  'the place of a handler among the listeners': {
    wpt: ['eventhandlers', 'interfaces/WebSocket/events/*'],
    async of(side, { open, echo }) {
      const socket = await open(side);
      const order = [];
      const all = [];
      const heard = async (sent) => {
        await echo(socket, sent);
        all.push(order.splice(0));
      };
      socket.onmessage = () => order.push('never');
      socket.addEventListener('message', () => order.push('listener'));
      socket.onmessage = function (event) {
        order.push(['handler', this === socket, event.currentTarget === socket]);
      };
      await heard('replaced');
      socket.onmessage = null;
      await heard('taken away');
      socket.onmessage = () => order.push('again');
      await heard('put back');
      socket.onmessage = 'no function';
      socket.onmessage = () => order.push('after a text');
      socket.addEventListener('message', () => order.push('third'), { once: true });
      await heard('at the end');
      socket.onmessage = {};
      socket.onmessage = () => order.push('after an object');
      await heard('in its place');
      return all;
    },
  },
  'handlers that change while an event is told': {
    wpt: ['eventhandlers', 'interfaces/WebSocket/events/*'],
    async of(side, { open, echo }) {
      const socket = await open(side);
      const order = [];
      socket.addEventListener('message', () => {
        order.push('first');
        socket.onmessage = () => order.push('put in');
      });
      await echo(socket, 'x');
      await echo(socket, 'y');
      socket.onmessage = () => {
        order.push('takes itself away');
        socket.onmessage = null;
      };
      await echo(socket, 'z');
      return order;
    },
  },
  'what a handler gives or throws': {
    wpt: ['eventhandlers'],
    async of(side, { open, echo }) {
      const socket = await open(side);
      const thrown = [];
      const hear = (event) => (event.preventDefault(), thrown.push(event.error.message));
      addEventListener('error', hear);
      socket.onmessage = () => {
        throw new Error('of the handler');
      };
      socket.addEventListener('message', () => {
        throw new Error('of a listener');
      });
      const came = await echo(socket, 'x');
      socket.onmessage = (event) => (thrown.push(event.defaultPrevented), false);
      socket.addEventListener('message', (event) => thrown.push(event.defaultPrevented));
      await echo(socket, 'y');
      removeEventListener('error', hear);
      return [came, thrown];
    },
  },
  'listeners with options': {
    wpt: ['interfaces/WebSocket/events/*'],
    async of(side, { open }) {
      const socket = await open(side);
      const told = [];
      const twice = () => told.push('twice');
      const abort = new AbortController();
      let heard;
      socket.addEventListener('message', twice);
      socket.addEventListener('message', twice);
      socket.addEventListener('message', () => told.push('once'), { once: true });
      socket.addEventListener('message', () => told.push('capturing'), true);
      socket.addEventListener('message', () => told.push('with a signal'), { signal: abort.signal });
      socket.addEventListener('message', (event) => (told.push('stops'), event.stopImmediatePropagation(), heard()), { passive: true });
      socket.addEventListener('message', () => told.push('never'));
      const hears = (sent) => new Promise((resolve) => ((heard = resolve), socket.send(sent)));
      await hears('x');
      abort.abort();
      socket.removeEventListener('message', twice);
      await hears('y');
      return told;
    },
  },
  'events that a page dispatches itself': {
    wpt: ['interfaces/WebSocket/events/*', 'interfaces/CloseEvent/constructor'],
    async of(side, { open, next }) {
      const socket = await open(side);
      const told = [];
      for (const name of ['onopen', 'onmessage', 'onerror', 'onclose']) socket[name] = (event) => told.push([name, event.isTrusted, socket.readyState, event.data, event.code]);
      const made = () => [new Event('open'), new MessageEvent('message', { data: 'made' }), new Event('error'), new CloseEvent('close', { code: 3333 })];
      for (const event of made()) socket.dispatchEvent(event);
      const closed = next(socket, 'close');
      socket.onclose = null;
      socket.close();
      await closed;
      socket.onclose = (event) => told.push(['onclose', event.isTrusted, socket.readyState, event.data, event.code]);
      for (const event of made()) told.push(socket.dispatchEvent(event));
      return told;
    },
  },
  'order from the first to the last': {
    wpt: ['interfaces/WebSocket/events/*', 'keeping-connection-open', 'interfaces/WebSocket/readyState/006 to 008'],
    async of({ dial }, { story }) {
      const socket = await dial();
      socket.addEventListener('open', () => {
        socket.send('one');
        socket.send('two');
      });
      let count = 0;
      socket.addEventListener('message', () => (count += 1) === 2 && socket.close(1000, 'done'));
      return story(socket);
    },
  },
  'each event is a task of its own': {
    wpt: ['interfaces/WebSocket/events/*'],
    async of({ dial }, { next }) {
      const order = [];
      const socket = await dial();
      const behind = (name) => Promise.resolve().then(() => undefined).then(() => order.push(`behind ${name}`));
      for (const name of ['error', 'close']) socket.addEventListener(name, () => (order.push(name), behind(name)));
      const closed = next(socket, 'close');
      socket.close();
      await closed;
      await behind('all');
      return order;
    },
  },
  'kinds of bytes': {
    wpt: ['binaryType-wrong-value', 'Create-valid-url-binaryType-blob', 'interfaces/WebSocket/*'],
    async of({ dial }, { outcome }) {
      const socket = await dial();
      const seen = [];
      for (const type of ['arraybuffer', 'nonsense', 'notBlobOrArrayBuffer', '', null, undefined, 'Blob', 'blob', new String('arraybuffer'), { toString: () => 'blob' }, 5]) seen.push([outcome(() => (socket.binaryType = type)) !== '', socket.binaryType]);
      seen.push(outcome(() => (socket.binaryType = Symbol('x'))));
      socket.close();
      return seen;
    },
  },
  'kinds of bytes that change': {
    wpt: ['binary/*', 'binaryType-wrong-value'],
    async of(side, { open, echo }) {
      const socket = await side.dial();
      socket.binaryType = 'arraybuffer';
      await new Promise((resolve) => (socket.onopen = resolve));
      const all = [await echo(socket, Uint8Array.of(1)), await echo(socket, 'text')];
      socket.binaryType = 'blob';
      all.push(await echo(socket, Uint8Array.of(2)));
      let blob;
      socket.addEventListener('message', ({ data }) => (blob = data), { once: true });
      all.push(await echo(socket, Uint8Array.of(3)), blob.type, blob.constructor.name);
      socket.close();
      return all;
    },
  },
  'kind of bytes when they come, not when they were sent': {
    wpt: ['binary/*'],
    async of(side, { open, next }) {
      const socket = await open(side);
      const came = next(socket, 'message');
      socket.send(Uint8Array.of(1));
      socket.binaryType = 'arraybuffer';
      return Object.prototype.toString.call((await came).data);
    },
  },
};
