"""Tell other systems what happened: signed, retried, and never to an address that is nobody's business."""
