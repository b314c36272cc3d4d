// What runs in the page: it asks each behaviour of the browser's `WebSocket` and of ours, with the same tools.

/** Is sent into the page as text, so it may use nothing but what is in it. Gives what each came to, as JSON. */
export async function ask(behaviours) {
  const { SecureWebSocket } = await import('/client/index.js');
  const url = `wss://${location.host}/echo`;

  /** The browser's own, with a ticket that was fetched by hand. */
  const native = {
    Socket: WebSocket,
    async dial(protocols = ['wardwire.raw']) {
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch('/.wardwire/tickets', { method: 'POST', headers, body: JSON.stringify({ route: '/echo' }) });
      return new WebSocket(url, [...protocols, (await answer.json()).subprotocol]);
    },
  };
  const secure = { Socket: SecureWebSocket, dial: async (protocols) => new SecureWebSocket(url, protocols) };

  /** What is open is closed after each behaviour. */
  const opened = [];
  const next = (socket, name) => new Promise((resolve) => socket.addEventListener(name, resolve, { once: true }));
  const tools = {
    url,
    /** Where no ticket leads: for what is asked before anything is fetched. */
    nowhere: `wss://${location.host}/nowhere`,
    next,
    /** What an action gives, or the name of what it throws. */
    outcome(action) {
      try {
        const value = action();
        if (!(value instanceof EventTarget)) return String(value);
        opened.push(value);
        return 'made';
      } catch (error) {
        return error.name;
      }
    },
    async open({ dial }) {
      const socket = await dial();
      opened.push(socket);
      await new Promise((resolve, reject) => {
        socket.addEventListener('open', resolve, { once: true });
        socket.addEventListener('error', () => reject(new Error(`did not open: ${socket.refusal}`)), { once: true });
      });
      return socket;
    },
    /** Every event that is heard, with the state at that moment, until it is closed. */
    async story(socket, act = () => undefined) {
      const told = [];
      for (const name of ['open', 'message', 'error', 'close']) socket.addEventListener(name, () => told.push([name, socket.readyState]));
      const closed = next(socket, 'close');
      await act();
      const { code, reason, wasClean } = await closed;
      return [told, code, reason, wasClean, socket.readyState];
    },
    async echo(socket, sent) {
      const came = next(socket, 'message');
      socket.send(sent);
      const { data } = await came;
      if (typeof data === 'string') return data;
      const bytes = data instanceof Blob ? await data.arrayBuffer() : data;
      return [Object.prototype.toString.call(data), bytes.byteLength, ...new Uint8Array(bytes).subarray(0, 8)];
    },
  };
  // What a behaviour compares is JSON.
  const of = async (behaviour, side) => {
    const late = new Promise((resolve) => setTimeout(resolve, 60_000, 'came to no end'));
    const came = await Promise.race([behaviour(side, tools), late]).catch((error) => `${error.name}: ${error.message}`);
    for (const socket of opened.splice(0)) socket.close();
    return JSON.parse(JSON.stringify(came ?? null, (_, value) => (typeof value === 'bigint' || value === undefined ? String(value) : value)));
  };
  const results = {};
  for (const [name, behaviour] of Object.entries(behaviours)) results[name] = { native: await of(behaviour, native), secure: await of(behaviour, secure) };
  return results;
}
