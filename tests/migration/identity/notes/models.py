"""What the project keeps about people: its rows name them by a claim, as there are no users."""

from django.db import models


class Note(models.Model):
    """A line somebody wrote down."""

    owner = models.CharField(max_length=64)
    text = models.CharField(max_length=100)

    class Meta:
        app_label = "notes"

    def __str__(self) -> str:
        return self.text
