/**
 * The page of an attacker. It lives on another origin, is shown in a frame of the demo, and opens a socket to the server
 * in the hope that the browser sends the victim's cookie along (cross-site WebSocket hijacking).
 */
{
  interface Order {
    readonly nonce: string;
    readonly url: string;
    readonly trace: string;
  }

  const hash = new URLSearchParams(location.hash.slice(1));
  const nonce = hash.get('nonce') ?? '';
  const page = hash.get('page') ?? '';

  const say = (id: string, text: string): void => {
    const place = document.getElementById(id);
    if (place !== null) place.textContent = text;
  };

  const report = (message: object): void => parent.postMessage({ nonce, ...message }, page);

  const attack = (order: Order): void => {
    say('says', `Opening ${order.url} with whatever cookies this browser holds ...`);
    const started = performance.now();
    let opened = false;
    const socket = new WebSocket(order.url, ['wardwire.v1', `wardwire.trace.${order.trace}`]);
    socket.onopen = () => {
      opened = true;
      socket.close(1000, 'done');
    };
    socket.onclose = (event) => {
      say('says', opened ? 'The socket opened.' : 'The socket was refused.');
      report({ kind: 'outcome', opened, code: event.code, ms: performance.now() - started, origin: self.origin });
    };
  };

  addEventListener('message', (event: MessageEvent<Partial<Order> | null>) => {
    const order = event.data;
    if (event.source !== parent || event.origin !== page || order?.nonce !== nonce) return;
    if (typeof order.url === 'string' && typeof order.trace === 'string') attack(order as Order);
  });

  say('origin', self.origin === 'null' ? 'origin null (a sandboxed frame)' : self.origin);
  if (parent !== window && nonce !== '' && page !== '') report({ kind: 'ready' });
}
