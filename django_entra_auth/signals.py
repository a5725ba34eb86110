"""What happened, told upward. All are sent with `send_robust`; receivers cannot break a request.

* `signed_in`: `request`, `user`, `claims` (validated ID-token claims), `account` ("tid", "oid").
* `signed_out`: `request` (None when ended from elsewhere), `user` (may be None), `sign_in_hash`.
* `sign_in_failed`: `request`, `reason` (closed list), `result` (error dict, no secrets), `is_stop`
  (whether it was answered in a view's place rather than at the end of a sign-in), `scopes` and
  `claims` (JSON text or None) of what was wanted.
* `claims_challenged`: `request`, `claims` (JSON text or None), `scopes`, `result` (error dict).
* `token_error`: `request` (may be None), `result` (error dict), `scopes`, `account`, and `reason`
  where something follows: "groups_unresolved" (the person was let in without what groups give),
  "credential_rejected" (another one works; `result["rejected_credential"]` is its place, from 1).
"""

from django.dispatch import Signal

__all__ = ["claims_challenged", "sign_in_failed", "signed_in", "signed_out", "token_error"]

signed_in: Signal = Signal()
signed_out: Signal = Signal()
sign_in_failed: Signal = Signal()
claims_challenged: Signal = Signal()
token_error: Signal = Signal()
