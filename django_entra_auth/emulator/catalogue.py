"""The error numbers the local Entra can give: OAuth error, sub-error, HTTP status, a sentence.

The sentences are this project's own; the numbers and what they stand for are Entra's.
"""

from typing import NamedTuple


class Definition(NamedTuple):
    """What a number means at the token endpoint unless the caller says otherwise."""

    error: str
    text: str
    suberror: str | None = None
    status: int = 400


CATALOGUE: dict[int, Definition] = {
    16000: Definition(
        "interaction_required", "No single signed-in account can be used for this request."
    ),
    160021: Definition("interaction_required", "The requested session does not exist any more."),
    50011: Definition("invalid_request", "The redirect URI is not registered for the application."),
    50013: Definition("invalid_grant", "The assertion is not acceptable."),
    50020: Definition("invalid_grant", "The account does not exist in this tenant."),
    50027: Definition("invalid_client", "The client assertion is not valid.", None, 401),
    50034: Definition("invalid_grant", "No account has this user name."),
    50048: Definition("invalid_client", "The assertion's subject is not its issuer.", None, 401),
    50049: Definition("invalid_instance", "The authority host is unknown."),
    50057: Definition("invalid_grant", "The account is disabled."),
    50058: Definition("login_required", "Nobody is signed in, and no page may be shown."),
    50076: Definition("invalid_grant", "Multi-factor authentication is required.", "basic_action"),
    50089: Definition("invalid_request", "The sign-in page was open for too long. Start again."),
    50105: Definition("invalid_grant", "The person is not assigned to the application."),
    50126: Definition("invalid_grant", "The user name or the password is wrong."),
    50142: Definition("invalid_grant", "A policy requires the password to be changed."),
    50148: Definition("invalid_grant", "The code verifier is missing or does not fit."),
    50149: Definition("invalid_request", "The code challenge method is not supported."),
    50158: Definition("invalid_grant", "An external challenge is pending: terms of use."),
    50173: Definition(
        "invalid_grant", "The grant was revoked; a new sign-in is needed.", "bad_token"
    ),
    50194: Definition("invalid_request", "The application belongs to one tenant only."),
    50196: Definition("invalid_grant", "The same request came too often: a loop was detected."),
    53000: Definition(
        "invalid_grant", "A policy requires a compliant device.", "additional_action"
    ),
    53003: Definition(
        "invalid_grant", "A Conditional Access policy blocks access.", "message_only"
    ),
    53005: Definition(
        "unauthorized_client",
        "A policy requires an application protected by Intune.",
        "protection_policy_required",
    ),
    53011: Definition("invalid_grant", "A policy blocks access because of a risk.", "message_only"),
    54005: Definition("invalid_grant", "The authorization code was already redeemed."),
    65001: Definition(
        "invalid_grant", "Consent to these permissions is missing.", "consent_required"
    ),
    65004: Definition("access_denied", "Consent was declined."),
    70000: Definition("invalid_grant", "The grant is not valid."),
    70003: Definition("unsupported_grant_type", "The grant type is not supported."),
    70005: Definition("unsupported_response_type", "The response type is not supported."),
    70007: Definition("invalid_request", "The response mode is not supported."),
    70008: Definition("invalid_grant", "The authorization code or refresh token has expired."),
    70011: Definition("invalid_scope", "The scope is not valid."),
    70043: Definition(
        "invalid_grant", "The sign-in is older than a policy allows.", "token_expired"
    ),
    70044: Definition("interaction_required", "The session is older than a policy allows."),
    240002: Definition("invalid_request", "An ID token cannot be used as the assertion."),
    500113: Definition("invalid_request", "No reply address is registered for the application."),
    500133: Definition("invalid_grant", "The assertion has expired."),
    500121: Definition("invalid_grant", "The multi-factor authentication failed."),
    500341: Definition("invalid_grant", "The account was deleted from the tenant."),
    501481: Definition("invalid_grant", "The code verifier does not fit the code challenge."),
    501491: Definition("invalid_request", "The code challenge has the wrong size."),
    700005: Definition("invalid_grant", "The code was issued for another tenant."),
    700016: Definition("unauthorized_client", "The application was not found in the tenant."),
    700023: Definition("invalid_client", "The assertion was made for another audience.", None, 401),
    700024: Definition(
        "invalid_client", "The client assertion is not within its valid time range.", None, 401
    ),
    700027: Definition(
        "invalid_client", "No certificate is registered for the client assertion.", None, 401
    ),
    700213: Definition(
        "invalid_client", "No federated credential matches the assertion.", None, 401
    ),
    700051: Definition("unsupported_response_type", "The response type 'token' is not enabled."),
    700054: Definition("unsupported_response_type", "The response type 'id_token' is not enabled."),
    700082: Definition("invalid_grant", "The refresh token has expired because it was not used."),
    7000114: Definition(
        "unauthorized_client", "A token without a person cannot be exchanged on behalf of one."
    ),
    7000110: Definition("invalid_request", "The request names more than one client."),
    7000215: Definition("invalid_client", "The client secret is wrong.", None, 401),
    7000216: Definition("invalid_client", "A client credential is required.", None, 401),
    7000218: Definition(
        "invalid_client", "The request needs a client secret or a client assertion.", None, 401
    ),
    7000222: Definition("invalid_client", "The client secret has expired.", None, 401),
    90002: Definition("invalid_request", "The tenant was not found."),
    90004: Definition("invalid_request", "The request is not well-formed."),
    90005: Definition("invalid_request", "A session id and a login hint exclude each other."),
    90023: Definition("invalid_request", "A parameter has a value that is not supported."),
    900144: Definition("invalid_request", "A required parameter is missing."),
    900561: Definition("invalid_request", "The endpoint accepts only POST requests."),
    90094: Definition(
        "consent_required", "Only an administrator can give this consent.", "consent_required"
    ),
    90100: Definition("invalid_request", "A parameter is empty or not valid."),
    9001023: Definition(
        "invalid_request", "The grant type needs a tenant, not common or organizations."
    ),
    9002313: Definition("invalid_grant", "The grant is malformed and cannot be read.", "bad_token"),
}
