// An OpenID provider for the demo: `oidc-provider`, with two users, no passwords, and a second factor for `acr=mfa`.
// It listens on loopback only, two ports above the demo, with the demo's own certificate.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, request as ask } from 'node:https';
import { join } from 'node:path';

import { exportJWK, generateKeyPair } from 'jose';
import { interactionPolicy, Provider } from 'oidc-provider';

import { html, page, secure, serveFile, signInForm, signOutForm } from './pages.mjs';

/** Who may sign in, and what their ID tokens say. */
const users = {
  alice: { rooms: ['lobby', 'staff', 'raw'], scope: 'market arena' },
  bob: { rooms: ['lobby', 'raw'], scope: 'market arena' },
};
/** The second factor. A real one is of a device of the user's; this page just says it. */
const code = '246810';

/** Starts it for the demo at `url`, whose certificate is in `folder`. Gives the issuer. */
export async function startProvider(url, folder) {
  const port = Number(new URL(url).port) + 2;
  const issuer = `https://localhost:${port}`;
  const read = (name) => readFileSync(join(folder, name));
  const provider = new Provider(issuer, await configuration(url, read('ca.pem')));
  provider.on('server_error', (_, error) => console.error(error));
  provider.use(signOutByForm);
  const answer = provider.callback();
  const server = createServer({ cert: read('cert.pem'), key: read('key.pem') }, (request, response) => {
    secure(response, new URL(url).origin);
    if (serveFile(request, response)) return;
    const answered = request.url.startsWith('/interaction/') ? interaction(provider, request, response) : answer(request, response);
    answered.catch(() => {
      if (!response.headersSent) show(response, 400, page('This sign-in is over', html`<p class="lead">Go back to the demo and begin again.</p>`));
    });
  });
  await new Promise((resolve, reject) => server.on('error', reject).listen(port, '127.0.0.1', resolve));
  return issuer;
}

async function configuration(url, ca) {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = { ...(await exportJWK(privateKey)), kid: 'demo', use: 'sig', alg: 'ES256' };
  return {
    clients: [
      {
        client_id: 'demo',
        token_endpoint_auth_method: 'none',
        redirect_uris: [`${url}/.wardwire/callback`],
        post_logout_redirect_uris: [`${url}/`],
        response_types: ['code'],
        grant_types: ['authorization_code'],
        id_token_signed_response_alg: 'ES256',
        backchannel_logout_uri: `${url}/.wardwire/backchannel-logout`,
        backchannel_logout_session_required: true,
      },
    ],
    jwks: { keys: [jwk] },
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    acrValues: ['mfa', 'pwd'],
    claims: { openid: ['sub', 'rooms', 'scope'], acr: null, amr: null, auth_time: null, iss: null, sid: null },
    conformIdTokenClaims: false,
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    pkce: { required: () => true },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx) => {
          ctx.body = signOut(ctx, true);
        },
        postLogoutSuccessSource: (ctx) => {
          ctx.body = page('Signed out', html`<p class="lead">Here, and in the demo.</p>`);
        },
      },
    },
    renderError: (ctx, { error, error_description: description }) => {
      ctx.type = 'html';
      ctx.body = page('That cannot be', html`<p class="notice" role="alert">${description ?? error}</p>`, html`<p class="lead">It is called <code>${error}</code>. Go back to the demo and begin again.</p>`);
    },
    interactions: { url: (_, { uid }) => `/interaction/${uid}`, policy: policy() },
    findAccount: (_, id) => (Object.hasOwn(users, id) ? { accountId: id, claims: () => ({ sub: id, ...users[id] }) } : undefined),
    loadExistingGrant: async ({ oidc }) => {
      const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
      grant.addOIDCScope('openid');
      await grant.save();
      return grant;
    },
    // By itself it calls nobody on loopback, where the demo is.
    fetch: (target, options) => post(new URL(target), options, ca),
    ttl: { Session: 3600, Interaction: 600, Grant: 3600, IdToken: 300, AccessToken: 300 },
  };
}

/** Who is asked for `mfa` and has not given it in this session has to give it; whoever has just answered is not asked again. */
function policy() {
  const { base, Check } = interactionPolicy;
  const prompts = base();
  const needed = new Check('second_factor', 'a second factor is needed', ({ oidc }) => {
    return wantsMfa(oidc.params) && oidc.session.acr !== 'mfa' && oidc.result?.login === undefined;
  });
  prompts.get('login').checks.add(needed);
  return prompts;
}

function wantsMfa(params) {
  return (params.acr_values ?? '').split(' ').includes('mfa');
}

/** Where nobody is signed in the library has a script send its form, which no page here may. */
async function signOutByForm(ctx, next) {
  await next();
  if (ctx.oidc?.route === 'end_session' && ctx.status === 200 && ctx.oidc.session.accountId === undefined) ctx.body = signOut(ctx, false);
}

function signOut({ oidc }, question) {
  return page(question ? 'Sign out?' : 'Signed out', signOutForm(oidc.urlFor('end_session_confirm'), oidc.session.state.secret, question));
}

async function interaction(provider, request, response) {
  const { params, session } = await provider.interactionDetails(request, response);
  const known = session?.accountId;
  const asked = { mfa: wantsMfa(params), age: params.max_age };
  const say = (status, hint, wrong) => show(response, status, page('Sign in', signInForm({ users: Object.keys(users), known, hint, code, ...asked, wrong })));
  if (request.method !== 'POST') return say(200, params.login_hint);
  const given = await body(request);
  const less = given.has('less');
  const mfa = asked.mfa && !less;
  const account = known ?? given.get('account');
  if (!Object.hasOwn(users, account)) return say(403, undefined, 'There is no such user.');
  if (mfa && given.get('code') !== code) return say(403, account, 'That is not the code.');
  const login = { accountId: account, acr: mfa ? 'mfa' : 'pwd', amr: mfa ? ['pwd', 'otp'] : ['pwd'] };
  if (less && asked.age !== undefined) login.ts = Math.floor(Date.now() / 1000) - asked.age - 3600;
  await provider.interactionFinished(request, response, { login }, { mergeWithLastSubmission: false });
}

function show(response, status, text) {
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
  response.end(text);
}

/** A form, of at most 4 KiB. */
async function body(request) {
  let text = '';
  for await (const chunk of request) {
    text += chunk;
    if (text.length > 4096) throw new Error('too long');
  }
  return new URLSearchParams(text);
}

function post(target, { method, headers, body, signal }, ca) {
  return new Promise((resolve, reject) => {
    const sent = ask(target, { method, headers: Object.fromEntries(new Headers(headers)), ca, signal }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(new Response(null, { status: answer.statusCode })));
    });
    sent.on('error', reject).end(body === undefined ? undefined : String(body));
  });
}
