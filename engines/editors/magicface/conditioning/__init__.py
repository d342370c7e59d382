"""What MagicFace is shown beside the face: background, jaw dots, masks."""
