/* Asks the browser for a passkey, and sends what it answers. Flask-Security's webauthn.js does the encoding. */
"use strict";

const form = document.querySelector("form[data-passkey]");

if (form) {
  const waiting = form.querySelector("[data-waiting]");
  const failed = form.querySelector("[data-failed]");
  const again = form.querySelector("[data-again]");

  const say = (sentence) => {
    failed.textContent = sentence;
    failed.hidden = false;
    again.hidden = false;
    waiting.hidden = true;
  };

  const ask = async () => {
    failed.hidden = true;
    again.hidden = true;
    waiting.hidden = false;
    if (!window.PublicKeyCredential) {
      say("This browser knows no passkeys. Use another one, or another way.");
      return;
    }
    const begin = form.dataset.passkey === "create" ? handleRegister : handleSignin;
    const result = await begin(form.dataset.options);
    if (result.credential) {
      form.elements.credential.value = result.credential;
      form.submit();
    } else if (String(result.error_msg).includes("InvalidStateError")) {
      say("This device or key is added to your account already.");
    } else {
      say(failed.dataset.failed);
    }
  };

  again.addEventListener("click", ask);
  ask();
}
