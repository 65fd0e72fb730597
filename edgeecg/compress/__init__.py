"""Energy-aware compression: importance, schedule, masks or removed channels, distillation."""
