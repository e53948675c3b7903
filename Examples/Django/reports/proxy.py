"""What the web server does in production, for development: passes /s3file/… on to the service."""
from django.http import HttpResponse, StreamingHttpResponse
from django.views.decorators.csrf import csrf_exempt

from .views import s3file

PASSED_ON = ["Accept", "Content-Type", "If-None-Match", "Last-Event-ID"]
PASSED_BACK = ["Content-Type", "ETag", "Cache-Control", "Retry-After", "Vary", "WWW-Authenticate", "X-Content-Type-Options"]


# The script sends tickets, which say more than a CSRF token.
@csrf_exempt
def proxy(request, path):
    headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
    answer = s3file.open(request.method, request.get_full_path(), request.body or None, headers)
    kept = {name: answer.headers[name] for name in PASSED_BACK if name in answer.headers}
    if answer.headers.get_content_type() == "text/event-stream":
        return StreamingHttpResponse(pieces(answer), status=answer.status, headers=kept)
    with answer:
        return HttpResponse(answer.read(), status=answer.status, headers=kept)


def pieces(answer):
    """As they come; ends when the browser has gone."""
    with answer:
        while piece := answer.read1(65536):
            yield piece
