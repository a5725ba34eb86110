from django.contrib.staticfiles.testing import StaticLiveServerTestCase
from django_entra_auth.testing import EntraEmulatorMixin, open_entra_page


class BrowserTests(EntraEmulatorMixin, StaticLiveServerTestCase):
    def test_a_person_signs_in(self):
        with open_entra_page(self.live_server_url, self.entra_emulator) as page:
            page.sign_in("bob")
            self.assertEqual(page.locator("h1").inner_text(), "Hello bob@contoso.example")
