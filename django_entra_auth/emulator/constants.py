"""The fixed names of the local Entra: tenants, registered clients, password, one-time code."""

TENANT_ID = "7c9d4d52-1f0a-4b8e-9c53-2b6d0e5a1c01"
TENANT_DOMAINS = ("contoso.example", "contoso.onmicrosoft.com")

FABRIKAM_TENANT_ID = "b1e6f0a4-93c7-4d2f-8a15-64c2f7d90e02"
FABRIKAM_DOMAINS = ("fabrikam.example", "fabrikam.onmicrosoft.com")

# A directory of customers: Microsoft Entra External ID.
CUSTOMERS_TENANT_ID = "d4f8b2c6-70e5-4a19-9d3c-51b7e6a80f03"
CUSTOMERS_DOMAINS = ("contosocustomers.onmicrosoft.com",)

# One more of customers, as Azure AD B2C keeps them.
B2C_TENANT_ID = "e90c3a17-64bd-4f52-8b0e-27d1f5c96a04"
B2C_DOMAINS = ("contosob2c.onmicrosoft.com",)
B2C_POLICY = "b2c_1_susi"

CONSUMER_TENANT_ID = "9188040d-6c67-4c5b-b112-36a304b66dad"

CLIENT_ID = "3f2a6c1e-5b7d-4e90-a1c8-0d9e8f7a6b10"
CLIENT_SECRET = "local-emulator-secret"  # noqa: S105 - published on purpose, opens nothing real

OTHER_CLIENT_ID = "8e5d4c3b-2a19-4f08-b7e6-d5c4b3a29111"
OTHER_CLIENT_SECRET = "local-emulator-other-secret"  # noqa: S105 - as above

PASSWORD = "correct-horse"  # noqa: S105 - printed on the sign-in page
MFA_CODE = "135790"

GRAPH_RESOURCE_ID = "00000003-0000-0000-c000-000000000000"
