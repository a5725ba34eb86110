"""What happened, told upward. All are sent with `send_robust`; receivers cannot break a request.

* `signed_in`: `request`, `user`, `claims` (validated ID-token claims), `account` ("tid", "oid").
* `signed_out`: `request` (None when ended from elsewhere), `user` (may be None), `sign_in_hash`.
* `sign_in_failed`: `request`, `reason` (closed list), `result` (error dict, no secrets), `is_stop`
  (whether it was answered in a view's place rather than at the end of a sign-in), `scopes` and
  `claims` (JSON text or None) of what was wanted.
* `claims_challenged`: `request`, `claims` (JSON text or None), `scopes`, `result` (error dict).
* `token_error`: `request` (may be None), `result` (error dict), `scopes`, `account`.
"""

from django.dispatch import Signal

signed_in = Signal()
signed_out = Signal()
sign_in_failed = Signal()
claims_challenged = Signal()
token_error = Signal()
