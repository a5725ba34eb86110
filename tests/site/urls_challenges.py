from django.urls import path

from tests.site import challenges
from tests.site.urls import urlpatterns as plain

urlpatterns = [
    path("mail/", challenges.mail),
    path("mail-async/", challenges.mail_async),
    path("step-up/", challenges.step_up),
    path("late-step-up/", challenges.late_step_up),
    path("step-up-without-resume/", challenges.step_up_without_resume),
    path("step-up-exempt/", challenges.step_up_exempt),
    path("step-up-class/", challenges.StepUpClass.as_view()),
    path("recent/", challenges.recent),
    path("me/", challenges.me),
    path("transfer/", challenges.transfer),
    path("caught/", challenges.caught),
    path("relayed/", challenges.relayed),
    path("raising-async/", challenges.raising_async),
    *plain,
]
