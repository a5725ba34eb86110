"""Sign-in with Microsoft Entra ID for Django, through Conditional Access."""
