// What the demo's provider shows: a few forms without a script, in the colours of the demos. Whatever stands in a page is text,
// unless it was made by `html`.

import { readFileSync } from 'node:fs';

class Html {
  constructor(text) {
    this.text = text;
  }
}

const entities = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

const written = (value) => {
  if (value instanceof Html) return value.text;
  if (Array.isArray(value)) return value.map(written).join('');
  return value === undefined || value === null ? '' : String(value).replace(/[&<>"']/g, (char) => entities[char]);
};

/** HTML with values in it, as text or as what this made, one or a list; nothing of `undefined`. */
export function html(parts, ...values) {
  return new Html(parts.map((part, at) => part + written(values[at])).join(''));
}

/** The files that pages name, by their paths. */
const shared = new URL('../shared/', import.meta.url);
const files = new Map([
  ['/style.css', ['text/css; charset=utf-8', new URL('style.css', shared)]],
  ['/provider.css', ['text/css; charset=utf-8', new URL('provider.css', import.meta.url)]],
  ['/icon.svg', ['image/svg+xml', new URL('icon.svg', shared)]],
]);

/** Serves one of those. Gives whether it was one. */
export function serveFile(request, response) {
  const [type, file] = files.get(request.url) ?? [];
  if (file === undefined) return false;
  response.writeHead(200, { 'content-type': type }).end(readFileSync(file));
  return true;
}

/** Sets what holds of every answer. Forms lead here, and from here back to `client`, an origin. */
export function secure(response, client) {
  const policy = `default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self' ${client}; base-uri 'none'; frame-ancestors 'none'`;
  response.setHeader('content-security-policy', policy);
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('referrer-policy', 'same-origin');
}

/** A whole page, as text. */
export function page(title, ...content) {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}: the demo's provider</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/style.css">
<link rel="stylesheet" href="/provider.css">
</head>
<body>
<main class="card">
<p class="from">The demo's provider</p>
<h1>${title}</h1>
${content}
</main>
</body>
</html>
`.text;
}

/** What to sign in with. `known` is who is signed in already; `asked` is what the demo asks for; `wrong` is what was wrong before. */
export function signInForm({ users, known, hint, mfa, age, code, wrong }) {
  const pick = (name) => html`<label class="pick"><input type="radio" name="account" value="${name}" required${hint === name ? html` checked` : ''}> ${name}</label>`;
  const unknown = hint !== undefined && !users.includes(hint) ? html`<p class="lead">Nobody here is called <q>${hint.slice(0, 200)}</q>.</p>` : undefined;
  const who = html`${unknown}<fieldset><legend>Who are you?</legend>${users.map(pick)}</fieldset>`;
  const factor = html`<p class="field"><label for="code">Second factor (it is ${code})</label><input id="code" name="code" inputmode="numeric" autocomplete="one-time-code"></p>`;
  // A provider that is wrong, or was talked into it.
  const less = html`<label class="less"><input type="checkbox" name="less"> Answer with less than is asked for</label>`;
  return html`${wrong && html`<p class="notice" role="alert">${wrong}</p>`}
<form method="post">
${known === undefined ? who : html`<p>You are ${known}.</p>`}
${mfa ? factor : undefined}
${age === undefined ? undefined : html`<p class="lead">Signed in no longer than ${age} s ago is asked for.</p>`}
${mfa || age !== undefined ? less : undefined}
<button class="primary">Go on</button>
</form>`;
}

/** Ends a session by the form that the provider wants back, with its `secret`. Who is signed in is asked first. */
export function signOutForm(action, secret, question) {
  return html`<p class="lead">${question ? 'Here, and in the demo: every socket of this session is closed.' : 'Nobody is signed in here any more.'}</p>
<form method="post" action="${action}">
<input type="hidden" name="xsrf" value="${secret}">
<button class="primary" name="logout" value="yes">${question ? 'Sign out' : 'Go on'}</button>
</form>`;
}
