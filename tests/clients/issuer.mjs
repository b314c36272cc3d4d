// An issuer of access tokens with a key of this run's own: `https://id.example.com`, for the audience `wardwire`.

import { exportJWK, generateKeyPair, SignJWT } from 'jose';

const { publicKey, privateKey } = await generateKeyPair('ES256');

/** What a server believes it by. */
export const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'id' }] });

/** Alice's, for so long (`5s`, `10m`). */
export const accessToken = (jti, lifetime) =>
  new SignJWT({ client_id: 'app', jti })
    .setProtectedHeader({ alg: 'ES256', kid: 'id', typ: 'at+jwt' })
    .setIssuer('https://id.example.com')
    .setAudience('wardwire')
    .setSubject('alice')
    .setIssuedAt()
    .setExpirationTime(lifetime)
    .sign(privateKey);
