//! What shows a provider which client this server is: the file that `client_auth` needs is there, ours alone and of use; and no
//! other, which would seem to protect something.

use super::{
    super::super::{
        certificate::is_shared,
        file::{ClientAuth, ClientProof},
        path::FilePath,
        sign_in::authentication,
    },
    Trial,
};

pub(super) fn judge(trial: &mut Trial<'_, '_>, table: &str, proof: &ClientProof<'_>) {
    let files = [
        ("client_secret_file", proof.secret),
        ("client_key_file", proof.key),
    ];
    let needed = match proof.auth {
        ClientAuth::Basic | ClientAuth::Post => Some("client_secret_file"),
        ClientAuth::PrivateKey => Some("client_key_file"),
        ClientAuth::None => None,
    };
    for (bare, file) in files {
        let key = &*format!("{table}.{bare}");
        match (needed == Some(bare), file) {
            (true, Some(file)) => secret(trial, proof, key, file),
            (true, None) => trial.refuse(
                key,
                "there is nothing by which this server could prove to be that client",
                format!("Add {bare}, or say how else: client_auth = \"private_key\", or \"none\" for a public client."),
            ),
            (false, Some(_)) => trial.refuse(
                key,
                format!("{bare} is not asked for with this client_auth"),
                "Drop it, or change client_auth.",
            ),
            (false, None) => {}
        }
    }
    if proof.key_id.is_some() && proof.auth != ClientAuth::PrivateKey {
        trial.refuse(
            &format!("{table}.client_key_id"),
            "client_key_id is not asked for with this client_auth",
            "Drop it, or write client_auth = \"private_key\".",
        );
    }
}

fn secret(trial: &mut Trial<'_, '_>, proof: &ClientProof<'_>, key: &str, file: &FilePath) {
    let Some(path) = trial.find(key, file) else {
        return;
    };
    if is_shared(&path) {
        let message = format!("{} can be read or written by others", path.display());
        let remedy = "Ask the provider for another, which they have not read, and keep it in a file of mode 0600.";
        trial.refuse(key, message, remedy);
    }
    if let Err(error) = authentication(proof, trial.judge.trial.folder) {
        let message = format!("{} is of no use: {error}", path.display());
        trial.refuse(
            key,
            message,
            "Write what the provider gave, and nothing else, into a file of mode 0600.",
        );
    }
}
