// In the page of `opening.mjs`: opens sockets in each way, and says how long that took.

/** Given to the page as text, so it names nothing from outside but `wardwire`, the client's package. */
export function install({ host, token }) {
  const { bearer, connect, SecureWebSocket, session } = globalThis.wardwire;
  const address = (route) => `wss://${host}${route}`;
  const auth = token === undefined ? session() : bearer(() => token);
  let ticket;

  /**
   * What the application has already: a warm connection, by a socket before or by what it asks with its cookie, a cached preflight,
   * and a ticket where it opens a bare socket. The cold one has the ticket alone.
   */
  globalThis.prepare = async (way, state) => {
    if (state === 'warm') await (token === undefined ? (await fetch(`https://${host}/.wardwire/session`, { credentials: 'include' })).text() : ending(await connected()));
    ticket = way === 'WebSocket' && token !== undefined ? await fetchTicket() : undefined;
  };

  globalThis.open = async (way) => {
    const start = performance.now();
    const socket = await ways[way]();
    const took = performance.now() - start;
    await ending(socket);
    return took;
  };

  const ways = {
    WebSocket: () => opened(new WebSocket(address('/live'), ticket === undefined ? ['wardwire.v1'] : ['wardwire.v1', `wardwire.ticket.${ticket}`])),
    SecureWebSocket: () => opened(new SecureWebSocket(address('/echo'), [], { auth })),
    connect: connected,
  };

  function connected() {
    return new Promise((resolve, reject) => {
      const wire = connect(address('/live'), { auth });
      wire.on('state', (state) => {
        if (state.kind === 'open') resolve(wire);
        else if (state.kind !== 'connecting') reject(new Error(JSON.stringify(state)));
      });
    });
  }

  function opened(socket) {
    return new Promise((resolve, reject) => {
      socket.onopen = () => resolve(socket);
      socket.onerror = () => reject(new Error(`the socket did not open: ${socket.refusal}`));
    });
  }

  async function ending(socket) {
    const over = new Promise((resolve) => (socket.addEventListener === undefined ? resolve() : (socket.onclose = resolve)));
    socket.close();
    await over;
  }

  async function fetchTicket() {
    const answer = await fetch(`https://${host}/.wardwire/tickets`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ route: '/live' }),
      credentials: 'omit',
    });
    return (await answer.json()).ticket;
  }
}
